import type { Sequence } from './event.ts'
import type { BatchState, OfferedRow } from './ledger-state.ts'

/**
 * Where an open delivery is while it is for pull clients.
 * - `ready`: offered with the next batch.
 * - `blocked`: its key is with another batch, or something before it in its key waits.
 * - `delayed`: given back until a time.
 * - `taken`: a batch is being made of it.
 * - `leased`: with a client.
 * - `dying`: offered as often as it may be, and about to be a dead letter.
 * - `gone`: settled.
 */
export type Place = 'ready' | 'blocked' | 'delayed' | 'taken' | 'leased' | 'dying' | 'gone'

/** One open delivery. */
export interface Item {
  readonly sequence: Sequence
  readonly key: string | undefined
  /** True when it has a row of its own; else it is pending. */
  readonly hasRow: boolean
  place: Place
  /** How often it was offered. */
  count: number
  /** The newest batch that it was offered with. */
  batch: Batch | undefined
}

/** Deliveries that were offered together. `taken` until they are on their way. */
export interface Batch {
  id: string
  readonly epoch: number
  number: number
  readonly items: Map<Sequence, Item>
  /** Those that were offered again in others, as far as this process knows. */
  readonly moved: Sequence[]
  state: BatchState | 'taken'
  proof: string
  deadline: number
  isConfirmed: boolean
}

/**
 * Why a receipt does nothing.
 * - `unknown`: there is no such batch, or it ended too long ago.
 * - `receipt`: the batch is there, and this is not its receipt.
 * - `again`: part of it was offered again.
 * - `expired`: its deadline has passed; only a confirm would still do.
 * - `released`, `confirmed`: that has already happened to all of it.
 * - `loose`: it was fetched without a lease.
 */
export type RefusedBecause = 'unknown' | 'receipt' | 'again' | 'expired' | 'released' | 'confirmed' | 'loose'
export interface Refused {
  readonly kind: 'refused'
  readonly because: RefusedBecause
  /** Those of the batch that are elsewhere now, as far as known. */
  readonly elsewhere: readonly Sequence[]
}

/** What a receipt did. */
export interface Done {
  readonly kind: 'done'
  readonly items: readonly Item[]
}

/** What a confirm did. */
export interface Confirmed extends Done {
  /** Its time was up before: that was counted as an attempt then. */
  readonly isLate: boolean
}

/** What came back because its time was up. */
export interface Lapsed {
  readonly items: readonly Item[]
  /** Those of them that were offered as often as they may be. */
  readonly dying: readonly Item[]
}

export function refuse(because: RefusedBecause, elsewhere: readonly Sequence[] = []): Refused {
  return { kind: 'refused', because, elsewhere }
}

/** The deliveries that a client names; undefined is all. Those that are not in the batch, or no longer, change nothing. */
export function chosen(batch: Batch, sequences: readonly Sequence[] | undefined): Item[] {
  if (sequences === undefined) return [...batch.items.values()]
  return [...new Set(sequences)].flatMap((sequence) => batch.items.get(sequence) ?? [])
}

/** True while what was given back is not yet to be offered. */
export function isDelayed({ state, deadline }: Batch, now: number): boolean {
  return state === 'returned' && deadline > now
}

/** What a client holds for a batch: its name, and a secret that only the one who fetched it knows. */
export function formatReceipt(batch: string, secret: string): string {
  return `${batch}.${secret}`
}

const batchText = /^(\d{1,15})-(\d{1,15})$/
const receiptText = /^(\d{1,15}-\d{1,15})\.([\w-]{16,128})$/

/** The parts of a receipt; undefined when it is none. */
export function parseReceipt(text: string): { readonly batch: string; readonly secret: string } | undefined {
  const found = receiptText.exec(text)
  return found === null ? undefined : { batch: found[1]!, secret: found[2]! }
}

/** The parts of a batch's name; undefined when it is none. */
export function parseBatch(text: string): { readonly epoch: number; readonly number: number } | undefined {
  const found = batchText.exec(text)
  return found === null ? undefined : { epoch: Number(found[1]), number: Number(found[2]) }
}

/** A batch as it is stored. */
export function rowOf(batch: Batch): OfferedRow {
  const items = [...batch.items.values()].sort((a, b) => a.sequence - b.sequence)
  return {
    kind: 'offered',
    batch: batch.id,
    state: batch.state as BatchState,
    proof: batch.proof,
    deadline: batch.deadline,
    sequences: items.map(({ sequence }) => sequence),
    counts: items.map(({ count }) => count),
    isConfirmed: batch.isConfirmed,
  }
}

/** A stored batch, without its deliveries: they come when they arrive. */
export function batchOf({ batch, state, proof, deadline, isConfirmed }: OfferedRow): Batch {
  const name = parseBatch(batch) ?? { epoch: 0, number: 0 }
  return { id: batch, ...name, items: new Map(), moved: [], state, proof, deadline, isConfirmed }
}
