import type { EventRecord, Sequence, StoredRecord } from './event.ts'
import type { Attempt, SettledState } from './outcome.ts'

/** Current-state counters of a subscription. `open` and `dead` are counted from rows, `filtered` is derived. */
export interface Counters {
  /** Events that became deliveries. */
  readonly matched: number
  readonly delivered: number
  readonly discarded: number
  readonly superseded: number
  readonly expired: number
  readonly lost: number
  /** Transitions, which only grow (metrics `_total`). */
  readonly attempts: number
  readonly retries: number
  readonly died: number
  readonly redriven: number
}

export const noCounters: Counters = Object.freeze({
  matched: 0,
  delivered: 0,
  discarded: 0,
  superseded: 0,
  expired: 0,
  lost: 0,
  attempts: 0,
  retries: 0,
  died: 0,
  redriven: 0,
})

/** `saturated` and `retired` are derived and never stored. */
export const storedLedgerStates = ['running', 'paused', 'halted', 'disabled'] as const
export type StoredLedgerState = (typeof storedLedgerStates)[number]

/** The small row of a subscription's ledger: written whole, whenever its own deliveries change. */
export interface LedgerState {
  /** Events at or below it are not this subscription's concern: where it began. */
  readonly start: Sequence
  /** The last sequence it has decided on, as of this row. */
  readonly examined: Sequence
  /** True while it shares the stored frontier: what counts is then max(examined, frontier). */
  readonly follows: boolean
  /** Matched at or below `examined`, neither settled nor with a row, ascending: delivered again after a crash. */
  readonly pending: readonly Sequence[]
  readonly counters: Counters
  readonly state: StoredLedgerState
  /** Why it is not running. */
  readonly reason?: string | undefined
}

/** What a store answers when a ledger is opened or listed. */
export interface LedgerRecord extends LedgerState {
  readonly subscription: string
  readonly partition: number
  readonly epoch: number
  readonly owner: string
  /** Open rows (waiting, staged, leased) plus sequences held behind their key. */
  readonly openRows: number
  readonly deadRows: number
  /** The lowest sequence that an open row or held sequence still needs from the log. */
  readonly lowestRow?: Sequence | undefined
  /** The suspect mark left by a process that did not end cleanly. */
  readonly mark?: SuspectMark | undefined
}

/**
 * Written before in-process user code runs, without a sync: a process death must find it, a power cut need not.
 * `solo` names the one delivery that runs alone because an earlier process died.
 */
export interface SuspectMark {
  /** Deliveries at or below it may have been running. */
  readonly upTo: Sequence
  readonly solo?: Sequence | undefined
}

/**
 * A delivery that must be remembered on its own.
 * - `waiting`: due again at `dueAt` (a retry, or ready to go on when `dueAt` has passed).
 * - `leased`: handed to a pull client until `dueAt`.
 */
export const rowStates = ['waiting', 'leased'] as const
export type RowState = (typeof rowStates)[number]

export interface DeliveryRow {
  readonly sequence: Sequence
  readonly state: RowState
  /** Absolute store time, milliseconds since 1970. */
  readonly dueAt: number
  /** The ordering key fixed when the event matched. */
  readonly key?: string | undefined
  /** Stages finished, by name. */
  readonly done: readonly string[]
  /** Attempts made within the current step. */
  readonly attempt: number
  /** Process deaths counted against it. */
  readonly deaths: number
  /** JSON text of the stage context. */
  readonly context?: string | undefined
  /** The event as replaced by a stage: same source, id and sequence. */
  readonly event?: EventRecord | undefined
  /** Newest last; bounded by the runtime. */
  readonly attempts: readonly Attempt[]
  /** Set when it was put back from the dead letters. */
  readonly redriven?: number | undefined
  readonly batch?: string | undefined
}

export interface DeadRow {
  readonly sequence: Sequence
  /** Its own copy, so that dead letters do not pin the log. */
  readonly event: StoredRecord
  readonly reason: string
  readonly error?: string | undefined
  readonly diedAt: number
  /** How often a step was tried in all. */
  readonly attemptCount: number
  readonly attempts: readonly Attempt[]
  readonly key?: string | undefined
  readonly done: readonly string[]
  readonly context?: string | undefined
  readonly redriven?: number | undefined
}

/** The waiting events of one key, ascending; an empty list removes the row. */
export interface HeldRow {
  readonly key: string
  readonly sequences: readonly Sequence[]
}

/** Sequences `from`, `from + 1`, … (`count` of them) that settled alike. */
export interface HistoryRun {
  readonly from: Sequence
  readonly count: number
  readonly state: SettledState
  readonly reason?: string | undefined
  /** Attempts each needed; 1 when absent. */
  readonly attempts?: number | undefined
}

/** What one ledger commit settled, in ascending order of sequence. */
export interface HistoryRow {
  readonly first: Sequence
  readonly last: Sequence
  readonly at: number
  readonly runs: readonly HistoryRun[]
  /** Attempt records worth keeping: every failed one, and those with details. */
  readonly attempts?: readonly { readonly sequence: Sequence; readonly attempts: readonly Attempt[] }[] | undefined
}
