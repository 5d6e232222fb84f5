import type { Event, Sequence } from '../core/event.ts'
import type { HistoryRow } from '../core/ledger-state.ts'

/** A search for people: a bounded scan by sequence. A page may be empty and still have `next`. */
export interface EventQuery {
  /** Only events with a greater sequence. */
  readonly after?: Sequence | undefined
  /** Patterns as in `match`. */
  readonly type?: readonly string[] | undefined
  readonly source?: string | undefined
  readonly subject?: string | undefined
  readonly id?: string | undefined
  /** Append time bounds, milliseconds since 1970: since ≤ t < until. */
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
  /** At most this many (1 to 1,000). */
  readonly limit: number
  /** Newest first instead: events below `before` in descending order. */
  readonly before?: Sequence | undefined
}

export interface EventPage {
  readonly events: readonly Event[]
  /** Pass as `after` (or `before`) for the next page; absent at the end. */
  readonly next?: Sequence | undefined
}

export interface RowQuery {
  /** Rows due at or before this time, in order of due time; without it, in order of sequence. */
  readonly dueBefore?: number | undefined
  /** With `dueBefore`: only rows due at or after this time. */
  readonly dueFrom?: number | undefined
  readonly after?: Sequence | undefined
  readonly sequences?: readonly Sequence[] | undefined
  readonly limit: number
}

export type KeptQuery =
  | { readonly stage: string; readonly keys: readonly string[] }
  | {
      readonly stage: string
      readonly after?: string | undefined
      /** Only keys that begin with this. */
      readonly prefix?: string | undefined
      readonly limit: number
    }
  | { readonly dueBefore: number; readonly limit: number }

export interface DeadQuery {
  readonly after?: Sequence | undefined
  readonly sequences?: readonly Sequence[] | undefined
  readonly type?: readonly string[] | undefined
  /** Died before this time. */
  readonly diedBefore?: number | undefined
  readonly limit: number
}

export interface HistoryQuery {
  /** Rows whose span contains this sequence. */
  readonly sequence?: Sequence | undefined
  /** Paging for a full read: rows after this opaque position. */
  readonly after?: string | undefined
  readonly limit: number
}

export interface HistoryPage {
  readonly rows: readonly HistoryRow[]
  readonly next?: string | undefined
}
