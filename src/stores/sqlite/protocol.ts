import type { Sequence } from '../../core/event.ts'
import type { DatabaseOptions } from './database.ts'
import type { DedupOptions } from './dedup/dedup.ts'
import type { WireFailure } from './failure.ts'
import type { Field } from './record.ts'

/**
 * What crosses between the main thread and the workers. Rows of ledgers travel as the very text that is stored: the main thread
 * encodes and decodes them (rows.ts), the workers only bind and read. Events travel as one flat array of fields, which
 * measured five times cheaper to clone than an array of objects or a JSON text.
 */
export interface WriterData {
  readonly database: DatabaseOptions
  readonly dedup: DedupOptions
  /** Opens although acknowledged events at the end are missing; the store is then a new incarnation. */
  readonly acceptLoss: boolean
}

export interface WriterOpened {
  readonly incarnation: string
  readonly head: Sequence
  readonly oldest: Sequence
}

/** A ledger change with its rows flattened: so many values per row, in the order of the statement that takes them. */
export interface WireChange {
  readonly subscription: string
  readonly partition: number
  readonly epoch: number
  readonly ledger?: string
  /** `null` clears it. */
  readonly mark?: string | null
  /** sequence, due, body */
  readonly put?: readonly (string | number)[]
  readonly remove?: readonly Sequence[]
  /** sequence, died, type, body */
  readonly bury?: readonly (string | number)[]
  readonly unbury?: readonly Sequence[]
  /** key, lowest, count, sequences; count 0 removes */
  readonly hold?: readonly (string | number)[]
  /** name, body */
  readonly batches?: readonly string[]
  readonly endBatches?: readonly string[]
  /** stage, key, due, value; a value of null removes */
  readonly kept?: readonly (string | number | null)[]
  /** last, first, at, body */
  readonly history?: readonly (string | number)[]
}

/** What a commit carries beside events; most have none of it. */
export interface WireExtra {
  readonly streams?: readonly (string | undefined)[] | undefined
  readonly expect?: { readonly stream: string; readonly version?: number | undefined } | undefined
  readonly cursor?: { readonly source: string; readonly value: string } | undefined
  readonly ledgers?: readonly WireChange[] | undefined
}

/** Commits that share one transaction. */
export interface WireGroup {
  readonly appendedAt: number
  readonly fields: readonly Field[]
  /** Events of each commit. */
  readonly counts: readonly number[]
  /** Sparse: pairs of a commit's index and what it carries. */
  readonly extras: readonly (readonly [number, WireExtra])[]
}

export const duplicate = 1
export const conflict = 2

export interface GroupReply {
  /** Events not listed in `exceptions` got this sequence and the following ones. */
  readonly first: Sequence
  readonly head: Sequence
  /** Flat triples: index of the event in the group, `duplicate` or `conflict`, the sequence that is there. */
  readonly exceptions: readonly number[]
  readonly refused: readonly WireRefusal[]
  /** Flat pairs: index of a commit that expected a stream, the version of the stream after it. */
  readonly versions: readonly number[]
}

/** Index of the commit, why, in words, and for `expect` the version that the stream is at. */
export type WireRefusal = readonly [index: number, reason: RefusalReason, detail: string, version?: number | undefined]
export type RefusalReason = 'stale-epoch' | 'expect' | 'known'

/** Events of a stream: their versions, and the fields of all of them. */
export interface WireStream {
  readonly version: number
  readonly versions: readonly number[]
  readonly values: readonly unknown[]
}

export interface WireLedger {
  readonly subscription: string
  readonly partition: number
  readonly epoch: number
  readonly owner: string
  readonly body: string
  readonly mark: string | null
  readonly openRows: number
  readonly deadRows: number
  readonly lowestRow: Sequence | null
}

export interface WireQuery {
  readonly after: Sequence
  readonly before: Sequence | undefined
  readonly head: Sequence
  readonly limit: number
  readonly types: readonly string[] | undefined
  readonly source: string | undefined
  readonly subject: string | undefined
  readonly id: string | undefined
  readonly sinceMs: number | undefined
  readonly untilMs: number | undefined
}

export interface WirePage {
  readonly values: unknown[]
  readonly next: Sequence | undefined
}

export type Request = { readonly id: number; readonly op: string; readonly args: readonly unknown[] }
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: WireFailure }
