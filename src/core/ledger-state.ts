import type { Group } from './coalesce.ts'
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

/** `examined − start = filtered + matched`, and matched is the sum of the rest. */
export interface Books {
  readonly examined: number
  readonly filtered: number
  readonly delivered: number
  readonly discarded: number
  readonly superseded: number
  readonly expired: number
  readonly dead: number
  readonly lost: number
  readonly open: number
}

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
  /** Since when no attempt has succeeded, while that is so; wall milliseconds. */
  readonly failingSince?: number | undefined
  /** Of the frontier: the how-manieth commit this is, over all its owners. */
  readonly commit?: number | undefined
  /** Which version of its stages made what they keep, where that can be made again from the log. */
  readonly foldVersion?: string | undefined
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
 * - `leased`: it waits for a pull client, or is with one; its batch says which.
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
  /** When the attempt of a sink that cannot be repeated began; once the process is gone, nobody knows how it ended. */
  readonly begunAt?: number | undefined
  /** Why the store cannot say what it remembered of this delivery: then only sequence and due time are true. Never written. */
  readonly unreadable?: string | undefined
  /** The events of its key that it stands for, where the subscription coalesces. */
  readonly group?: Group | undefined
}

/** The due time of a row that waits for a pull client and not for a moment: the last one that a date can hold. */
export const dueToClient = 8_640_000_000_000_000

export interface DeadRow {
  readonly sequence: Sequence
  /** Its own copy, so that dead letters do not pin the log; absent when the event could not be read. */
  readonly event?: StoredRecord | undefined
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

/** A value that a stage keeps under a key of its own, committed with the deliveries that changed it. */
export interface KeptRow {
  readonly stage: string
  readonly key: string
  /** JSON text; null removes it. */
  readonly value: string | null
  /** When the stage wants to be called for it, milliseconds since 1970. */
  readonly dueAt?: number | undefined
}

/** The waiting events of one key, ascending; an empty list removes the row. */
export interface HeldRow {
  readonly key: string
  readonly sequences: readonly Sequence[]
}

/**
 * How a batch stands.
 * - `leased`: with a client until `deadline`.
 * - `lapsed`: the deadline has passed and nothing of it was offered again; it may still be confirmed.
 * - `loose`: offered without a lease; confirmed as long as no other client holds its events.
 * - `stale`: part of it was offered again. It can do nothing and only remembers how often the rest was offered.
 * - `returned`: given back, to be offered again from `deadline` on. Nobody has a receipt for it.
 */
export const batchStates = ['leased', 'lapsed', 'loose', 'stale', 'returned'] as const
export type BatchState = (typeof batchStates)[number]

/** Deliveries that were offered to a pull client together, as one row. They stay pending (or in rows) beside it. */
export interface OfferedRow {
  readonly kind: 'offered'
  /** `<epoch>-<number>`: never used twice for a subscription. */
  readonly batch: string
  readonly state: BatchState
  /** Digest of what the receipt adds to the batch's name; empty when there is no receipt. */
  readonly proof: string
  /** Absolute store time, milliseconds since 1970. */
  readonly deadline: number
  /** Those not settled and not offered elsewhere, ascending. */
  readonly sequences: readonly Sequence[]
  /** How often each was offered, this batch included; parallel to `sequences`. */
  readonly counts: readonly number[]
  /** True when part of it was confirmed. */
  readonly isConfirmed: boolean
}

/** How a batch ended: `again` is what was left of it being offered to others. */
export const batchEnds = ['confirmed', 'released', 'again'] as const
export type BatchEnd = (typeof batchEnds)[number]

/** Batches that have ended and are remembered for a while: runs of their numbers. */
export interface EndedRow {
  readonly kind: 'ended'
  /** The row's own name. */
  readonly batch: string
  readonly epoch: number
  /** When the first and the last of them ended. */
  readonly since: number
  readonly until: number
  /** First number and how many that ended alike, ascending. */
  readonly runs: readonly (readonly [from: number, count: number, end: BatchEnd])[]
}

/** What a ledger remembers of the batches of its pull clients. */
export type BatchRow = OfferedRow | EndedRow

/** Sequences `from`, `from + 1`, … (`count` of them) that settled alike. */
export interface HistoryRun {
  readonly from: Sequence
  readonly count: number
  readonly state: SettledState
  readonly reason?: string | undefined
  /** Attempts each needed; 1 when absent. */
  readonly attempts?: number | undefined
  /** The step that discarded each at once, in its first attempt: those have no record of their own. */
  readonly step?: string | undefined
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

/** As a list in order; sets of sequences nearly always are. */
export function ascending(sequences: ReadonlySet<Sequence>): Sequence[] {
  const list = [...sequences]
  for (let i = 1; i < list.length; i++) {
    if (list[i]! < list[i - 1]!) return list.sort((a, b) => a - b)
  }
  return list
}
