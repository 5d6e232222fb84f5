import type { Sequence } from './event.ts'

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

/** Where a new subscription begins to read. Ignored once its ledger exists. */
export type Start =
  | { readonly kind: 'now' }
  | { readonly kind: 'beginning' }
  | { readonly kind: 'sequence'; readonly sequence: Sequence }
  | { readonly kind: 'time'; readonly timeMs: number }

/** The decided policy of a subscription: every default filled in, every duration in milliseconds. */
export interface SubscriptionPolicy {
  readonly name: string
  /** Sources it reads; undefined means every source. */
  readonly from: readonly string[] | undefined
  /** Patterns; empty matches nothing. */
  readonly match: readonly string[]
  readonly ordering: Ordering
  readonly onFailure: FailureMode
  readonly concurrency: number
  readonly timeoutMs: number
  /** For steps that return `retry`. */
  readonly retry: RetryPolicy
  /** For steps that throw, where they differ from `retry`. */
  readonly throwAttempts: number
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
