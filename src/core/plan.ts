import type { BreakerPolicy } from './breaker.ts'
import type { CoalescePolicy } from './coalesce.ts'
import type { Rate } from './duration.ts'
import type { Event, Sequence } from './event.ts'
import type { Payload } from './payload.ts'
import type { Equality } from './reader-index.ts'
import type { TtlPolicy } from './ttl.ts'

/** How long to wait before the next attempt, and how many there may be. */
export interface RetryPolicy {
  /** Attempts in total, the first included; `Infinity` for unlimited. */
  readonly attempts: number
  /** Waits between attempts; the last repeats. Empty: `backoff` is used. */
  readonly delaysMs: readonly number[]
  readonly backoff: { readonly baseMs: number; readonly factor: number; readonly maxMs: number }
  /** 0 to 1: a delay d becomes a random one within [d·(1 − jitter), d]. */
  readonly jitter: number
  /** The longest `Retry-After` (or stage-given delay) that is honoured. */
  readonly retryAfterMaxMs: number
}

export const orderings = ['none', 'key', 'strict'] as const
export type Ordering = (typeof orderings)[number]
export const failureModes = ['block', 'park', 'halt'] as const
export type FailureMode = (typeof failureModes)[number]

export const guarantees = ['at-least-once', 'best-effort'] as const
export type Guarantee = (typeof guarantees)[number]

/** Where a new subscription begins to read. Ignored once its ledger exists. */
export type Start =
  | { readonly kind: 'now' }
  | { readonly kind: 'beginning' }
  | { readonly kind: 'sequence'; readonly sequence: Sequence }
  | { readonly kind: 'time'; readonly timeMs: number }

/** A compiled `where`. */
export interface Where {
  readonly text: string
  /** What it asks of every event, in a form that an index can use; undefined: nothing. */
  readonly only?: Equality | undefined
  /** False also when it cannot be evaluated for this event (a member is missing). */
  test(event: Event): boolean
  /** What it made of this event, in words. */
  explain(event: Event): string
}

/** Which events wait for each other where order is by key. */
export interface OrderBy {
  readonly text: string
  /** Undefined for an event that waits for no other. Never throws. */
  keyOf(event: Event): string | undefined
}

/** A compiled `fairBy`: the group (subject, tenant) that an event belongs to. */
export interface FairBy {
  readonly text: string
  groupOf(event: Event): string
}

/** The decided policy of a subscription: every default filled in, every duration in milliseconds. */
export interface SubscriptionPolicy {
  readonly name: string
  /** Sources it reads; undefined means every source. */
  readonly from: readonly string[] | undefined
  /** Patterns; empty matches nothing. */
  readonly match: readonly string[]
  /** Undefined: every matching event. */
  readonly where?: Where | undefined
  /** It also matches what it derives itself; undefined: no. */
  readonly recursive?: boolean | undefined
  readonly ordering: Ordering
  readonly onFailure: FailureMode
  /** What has order with `ordering: key`; undefined: the subject. */
  readonly orderBy?: OrderBy | undefined
  readonly concurrency: number
  readonly timeoutMs: number
  /** For steps that return `retry`. */
  readonly retry: RetryPolicy
  /** For steps that throw, where they differ from `retry`. */
  readonly throwAttempts: number
  /** Whose events share the subscription fairly; undefined: first come, first served. */
  readonly fairBy?: FairBy | undefined
  /** Undefined: events do not supersede one another. */
  readonly coalesce?: CoalescePolicy | undefined
  /** Undefined: without end. */
  readonly ttl?: TtlPolicy | undefined
  /** Undefined: the whole event. */
  readonly payload?: Payload | undefined
  /** Deliveries attempted in a time; undefined: as many as there are. */
  readonly rate?: Rate | undefined
  readonly breaker?: BreakerPolicy | undefined
  /** Versions of event types that it stays at, by type; undefined: it is given the newest of each. */
  readonly pins?: Readonly<Record<string, number>> | undefined
  readonly start: Start
  /** Deliveries kept in memory at once: in flight and ready. */
  readonly window: number
  /** Open deliveries at which examining stops (`saturated`). */
  readonly maxOpen: number
  readonly dead: {
    /** How long dead letters are kept; undefined: for ever. */
    readonly keepMs: number | undefined
    readonly redrive: { readonly afterMs: number; readonly times: number } | undefined
  }
}
