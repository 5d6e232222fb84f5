import type { BreakerState } from '../core/breaker.ts'
import type { Event, EventInput, EventRecord, Sequence } from '../core/event.ts'
import type { Counters, DeadRow } from '../core/ledger-state.ts'
import type { Attempt, SettledState } from '../core/outcome.ts'
import type { JsonOptions } from '../plugin/define.ts'
import type { EventSchemas } from '../plugin/event-schemas.ts'
import type { IngestResult, Received, ReceivedRequest } from '../plugin/source.ts'
import type { HasState } from '../plugin/state.ts'
import type { DeadQuery, Durability, Store } from '../plugin/store.ts'
import type { Batches } from './batches.ts'
import type { PipelineStats } from './pipeline-stats.ts'
import type { RebuildDesk, RebuildStatus } from './rebuild/face.ts'
import type { ReplayDesk } from './replay/face.ts'
import type { SubscriptionDesk } from './run-time/face.ts'
import type { StepStats } from './step-counts.ts'
import type { StreamDesk } from './streams/face.ts'

export type { PipelineStats } from './pipeline-stats.ts'

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
  /** For a projection: which version of its code made what it keeps. */
  readonly foldVersion?: string | undefined
  /** The rebuild of what it keeps, under way, or the last one since the start. */
  readonly rebuild?: RebuildStatus | undefined
  /** Where the subscription has a circuit breaker. Times are RFC 3339. */
  readonly breaker?:
    | {
        readonly state: BreakerState
        /** Failed attempts in a row. */
        readonly failures: number
        readonly openUntil?: string | undefined
        readonly failingSince?: string | undefined
      }
    | undefined
  /** Due time of the next retry, RFC 3339. */
  readonly nextDue?: string | undefined
  /** `file`: it is in the configuration; `api`: it was made while the pipeline ran. Absent when it is retired. */
  readonly origin?: 'file' | 'api' | undefined
  /** Of one that was made while the pipeline ran: counts its changes. */
  readonly version?: number | undefined
  /** Its stages and its sink since the start, in order. Absent where nothing runs. */
  readonly stages?: readonly StepStats[] | undefined
  /** The same as what a change may ask for. */
  readonly etag?: string | undefined
  /** The sink's options, without secrets and what may be one. */
  readonly options?: JsonOptions | undefined
  /** For a view, which keeps no books: all other numbers but `head` say nothing. */
  readonly view?: ViewCounters | undefined
  /** For a best-effort subscription, which keeps its counts in memory. */
  readonly tap?: TapCounters | undefined
}

/** What a view counts since the start. */
export interface ViewCounters {
  /** Clients at this moment. */
  readonly connections: number
  /** Connections that began. */
  readonly opened: number
  /** Events sent, over all clients. */
  readonly sent: number
  /** Connections cut because their client took nothing. */
  readonly cut: number
  /** Notices that a client missed something. */
  readonly gaps: number
  /** Connections refused because there were too many. */
  readonly refused: number
}

/** What a best-effort subscription counts since the process began: `offered = dropped + accepted`. */
export interface TapCounters {
  readonly offered: number
  readonly dropped: number
  readonly accepted: number
  readonly delivered: number
  readonly discarded: number
  /** Given up after its attempts, or at a stop. */
  readonly failed: number
  /** Accepted and not yet ended. */
  readonly buffered: number
}

/** Where the bytes for one client of a view go: one connection. */
export interface Outlet {
  /** Takes the bytes in any case; false when it wants no more before `resume` is called. Never throws. */
  write(bytes: Uint8Array): boolean
  /** Ends after what it has taken. */
  end(): void
  /** Ends at once. */
  cut(): void
}

/** One client's place in a view. Whoever asked for it opens it, and says when the connection has room again or is gone. */
export interface ViewConnection {
  /** Called once; from then on the outlet is written to. */
  open(outlet: Outlet): void
  resume(): void
  /** The connection is gone. */
  close(): void
  /** Ends it from this side. */
  end(): void
}

export interface ViewRequest {
  /** The position that the client holds, as it sent it. */
  readonly after?: string | undefined
  /** Patterns that narrow what the view shows. */
  readonly types?: readonly string[] | undefined
  /** What the client sees of each event; clients with the same function share the work. Absent: all. */
  readonly look?: ((event: Event) => Event) | undefined
  /** The name of its token; connections are counted by it. */
  readonly token?: string | undefined
  /** False when the client may not read any more; looked at every second. */
  readonly isAllowed?: (() => boolean) | undefined
}

/** A filtered look at the log for clients that hold their position themselves. */
export interface LogView {
  readonly name: string
  /** Takes a place for a client; throws `overloaded` when there is none. When the view has ended it ends at once. */
  enter(request: ViewRequest): ViewConnection
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
  /** The id of the replay whose delivery this is; absent for live traffic. */
  readonly replay?: string | undefined
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
  /** Why the event cannot be read: the store is damaged there. */
  readonly unreadable?: string | undefined
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

export interface Health {
  /** Store writable, not draining, loops alive, deliveries progressing. */
  readonly ready: boolean
  readonly problems: readonly string[]
  /** What somebody should look at although traffic is taken and moves. */
  readonly warnings?: readonly string[] | undefined
  readonly loops: Readonly<
    Record<string, { readonly restarts: number; readonly lastError?: string | undefined; readonly alive: boolean }>
  >
}

/** What came of a request to a source that receives: the results after the commit, or why there is nothing to commit. */
export type Reception =
  | { readonly kind: 'results'; readonly results: readonly IngestResult[] }
  | Exclude<Received, { readonly kind: 'events' }>

export interface RunOptions {
  /** Stops the pipeline when it is aborted, as `stop()` does: what is under way is finished. */
  readonly signal?: AbortSignal | undefined
}

/** What server, CLI and library do with a pipeline. Methods that name a subscription throw `subscription-unknown`. */
export interface Pipeline extends SubscriptionDesk, ReplayDesk, RebuildDesk, StreamDesk, HasState {
  readonly store: Store
  /** Names of configured sources that `POST /v1/events` may not use as `source` (every one that is not `http`). */
  readonly reservedSources: ReadonlySet<string>
  /** Checks, appends and resolves after the commit. One event in, one result out; an invalid one throws `event-invalid`. */
  publish(event: EventInput): Promise<PublishResult>
  /** Many: one atomic commit of those accepted; an invalid one is `refused` in its place. Throws only when the store fails. */
  publish(events: readonly EventInput[]): Promise<readonly PublishResult[]>
  /** As `publish` for records already checked (`core/`): the server's door. */
  ingest(records: readonly EventRecord[]): Promise<readonly IngestResult[]>
  /** Counts events that the server's door refused. */
  countRefused(events: number): void
  /** Hands a request to a source that receives; throws `not-found` when there is none of that name. */
  receive(source: string, request: ReceivedRequest): Promise<Reception>
  /** To best-effort subscriptions only; false when dropped. Never throws, never waits. */
  emit(event: EventInput): boolean
  /** The HTTP API as a fetch handler. */
  readonly handler: (request: Request) => Promise<Response>
  stats(): PipelineStats
  health(): Promise<Health>
  subscriptions(): Promise<readonly SubscriptionStatus[]>
  subscription(name: string): Promise<SubscriptionStatus>
  /** What clients of a sink that is a view read; throws `state-conflict` for a subscription that is none. */
  view(name: string): LogView
  /** What clients of a sink that they fetch batches from do; throws `state-conflict` for any other subscription. */
  batches(name: string): Batches
  pause(name: string): Promise<void>
  /** Also ends `halted` and `disabled`. */
  resume(name: string): Promise<void>
  dead(name: string, query: DeadQuery): Promise<readonly DeadRow[]>
  redrive(name: string, selection: Selection): Promise<{ readonly redriven: number }>
  discard(name: string, selection: Selection): Promise<{ readonly discarded: number }>
  /** The stages of a subscription whose state can be read. */
  stateStages(name: string): Promise<readonly string[]>
  /** What events must look like, by type. */
  readonly eventSchemas: EventSchemas
  /** Checks the original of a `millrace.quarantined` event again and appends it; throws `schema-mismatch` while it does not fit. */
  redriveQuarantined(sequence: Sequence): Promise<PublishResult>
  /** Forgets a subscription that nothing names any more: a retired one. */
  drop(name: string): Promise<void>
  explain(sequence: Sequence, subscription?: string): Promise<Explanation>
  audit(): Promise<AuditReport>
  /** Opens the store and the ledgers without starting sources or deliveries. */
  open(): Promise<void>
  /** Opens if needed, then starts sources and deliveries. */
  start(): Promise<void>
  /**
   * Starts if needed and runs until somebody stops the pipeline: resolves then, with what it counted. Rejects when it
   * cannot start or cannot go on (another process owns its store, the store has ended); it is stopped then, too.
   */
  run(options?: RunOptions): Promise<PipelineStats>
  /** Stops intake, lets attempts finish until the deadline, commits, closes. May be called again. */
  stop(options?: { readonly deadline?: string | undefined }): Promise<void>
  /** Resolves when everything published so far is settled or waiting for a retry (tests, benchmarks, `publish --wait`). */
  idle(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
