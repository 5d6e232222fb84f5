import type { EventInput, EventRecord, Sequence } from '../core/event.ts'
import type { Counters, DeadRow } from '../core/ledger-state.ts'
import type { Attempt, SettledState } from '../core/outcome.ts'
import type { IngestResult } from '../plugin/source.ts'
import type { DeadQuery, Durability, Store } from '../plugin/store.ts'

/** One answer of `publish`. */
export type PublishResult = {
  readonly source: string
  readonly id: string
  readonly status: 'stored' | 'duplicate' | 'conflict' | 'refused' | 'quarantined'
  /** The event's place in the log; of the first one for `duplicate` and `conflict`; absent when refused. */
  readonly sequence?: Sequence | undefined
  readonly durability: Durability
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

export const subscriptionStates = ['running', 'paused', 'halted', 'saturated', 'disabled', 'retired'] as const
export type SubscriptionState = (typeof subscriptionStates)[number]

/** As `GET /v1/subscriptions/{name}` answers. The books: examined − start = filtered + matched; matched = the settled states + open. */
export interface SubscriptionStatus {
  readonly name: string
  readonly state: SubscriptionState
  readonly reason?: string | undefined
  readonly sink?: string | undefined
  readonly match: readonly string[]
  readonly from?: readonly string[] | undefined
  readonly start: Sequence
  readonly examined: Sequence
  readonly floor: Sequence
  readonly head: Sequence
  /** Events not yet examined. */
  readonly lag: number
  /** Deliveries not settled. */
  readonly open: number
  readonly counters: Counters & { readonly filtered: number; readonly dead: number; readonly open: number }
  /** Seconds since the append of the oldest open delivery or unexamined event; 0 when there is none. */
  readonly oldestAgeSeconds: number
  /** Due time of the next retry, RFC 3339. */
  readonly nextDue?: string | undefined
}

export interface Selection {
  readonly sequences?: readonly Sequence[] | undefined
  readonly type?: readonly string[] | undefined
  /** Everything; needed when nothing else narrows. */
  readonly all?: boolean | undefined
}

/** One subscription's answer to "where is this event and why". */
export interface ExplainedDelivery {
  readonly subscription: string
  /** `filtered`, a settled state, or how it is open: `unexamined | pending | waiting | held | leased`; `before-start` when it began later. */
  readonly state: SettledState | 'filtered' | 'unexamined' | 'pending' | 'waiting' | 'held' | 'leased' | 'before-start'
  readonly reason?: string | undefined
  /** Each pattern and source filter, and whether it matched which value. */
  readonly checks: readonly { readonly check: string; readonly value: string; readonly matched: boolean }[]
  readonly attempts: readonly Attempt[]
  readonly attemptCount: number
  /** What happens next, in words. */
  readonly next?: string | undefined
  readonly dueAt?: string | undefined
  readonly settledAt?: string | undefined
}

export interface Explanation {
  readonly sequence: Sequence
  /** Absent when retention has removed it. */
  readonly event?:
    | {
        readonly source: string
        readonly id: string
        readonly type: string
        readonly subject?: string | undefined
        readonly time: string
        readonly recordedtime: string
      }
    | undefined
  readonly deliveries: readonly ExplainedDelivery[]
}

export interface AuditReport {
  readonly ok: boolean
  readonly head: Sequence
  readonly events: number
  readonly subscriptions: readonly {
    readonly name: string
    readonly ok: boolean
    readonly books: Readonly<Record<string, number>>
    readonly problems: readonly string[]
  }[]
  readonly problems: readonly string[]
}

export interface PipelineStats {
  readonly head: Sequence
  readonly durability: Durability
  readonly uptimeSeconds: number
  readonly published: {
    readonly stored: number
    readonly duplicate: number
    readonly conflict: number
    readonly refused: number
  }
  readonly sources: Readonly<
    Record<
      string,
      {
        readonly stored: number
        readonly duplicate: number
        readonly conflict: number
        readonly refused: number
        readonly restarts: number
        readonly state: string
        readonly error?: string | undefined
      }
    >
  >
  readonly subscriptions: Readonly<Record<string, SubscriptionStatus>>
  /** A table for people. */
  toString(): string
}

export interface Health {
  /** Store writable, not draining, loops alive, deliveries progressing. */
  readonly ready: boolean
  readonly problems: readonly string[]
  readonly loops: Readonly<
    Record<string, { readonly restarts: number; readonly lastError?: string | undefined; readonly alive: boolean }>
  >
}

/** What server, CLI and library do with a pipeline. Methods that name a subscription throw `subscription-unknown`. */
export interface Pipeline {
  readonly store: Store
  /** Names of configured sources that `POST /v1/events` may not use as `source` (every one that is not `http`). */
  readonly reservedSources: ReadonlySet<string>
  /** Checks, appends and resolves after the commit. One event in, one result out; an invalid one throws `event-invalid`. */
  publish(event: EventInput): Promise<PublishResult>
  /** Many: one atomic commit of those accepted; an invalid one is `refused` in its place. Throws only when the store fails. */
  publish(events: readonly EventInput[]): Promise<readonly PublishResult[]>
  /** As `publish` for records already checked (`core/`): the server's door. */
  ingest(records: readonly EventRecord[]): Promise<readonly IngestResult[]>
  /** To best-effort subscriptions only; false when dropped. Never throws, never waits. */
  emit(event: EventInput): boolean
  /** The HTTP API as a fetch handler. */
  readonly handler: (request: Request) => Promise<Response>
  stats(): PipelineStats
  health(): Promise<Health>
  subscriptions(): Promise<readonly SubscriptionStatus[]>
  subscription(name: string): Promise<SubscriptionStatus>
  pause(name: string): Promise<void>
  /** Also ends `halted` and `disabled`. */
  resume(name: string): Promise<void>
  dead(name: string, query: DeadQuery): Promise<readonly DeadRow[]>
  redrive(name: string, selection: Selection): Promise<{ readonly redriven: number }>
  discard(name: string, selection: Selection): Promise<{ readonly discarded: number }>
  /** Forgets a retired subscription. */
  drop(name: string): Promise<void>
  explain(sequence: Sequence, subscription?: string): Promise<Explanation>
  audit(): Promise<AuditReport>
  /** Opens the store and the ledgers without starting sources or deliveries. */
  open(): Promise<void>
  /** Opens if needed, then starts sources and deliveries. */
  start(): Promise<void>
  /** Stops intake, lets attempts finish until the deadline, commits, closes. May be called again. */
  stop(options?: { readonly deadline?: string | undefined }): Promise<void>
  /** Resolves when everything published so far is settled or waiting for a retry (tests, benchmarks, `publish --wait`). */
  idle(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
