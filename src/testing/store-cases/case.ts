import assert from 'node:assert/strict'
import type { ErrorCode } from '../../core/errors.ts'
import { AppError } from '../../core/errors.ts'
import type { EventRecord, Sequence } from '../../core/event.ts'
import {
  type DeadRow,
  type DeliveryRow,
  type HistoryRow,
  type LedgerState,
  noCounters,
} from '../../core/ledger-state.ts'
import type { AppendResult, Commit, CommitResult, LedgerChange, Store } from '../../plugin/store.ts'
import type { VirtualPlatform } from '../virtual-platform.ts'

/** What a case may use. Everything it opens is closed after it. */
export interface StoreCaseContext {
  /** A new, empty store, whose clock is `platform`. */
  open(): Promise<Store>
  readonly platform: VirtualPlatform
  /** Closes a store and opens again what it kept. */
  reopen(store: Store): Promise<Store>
  /** Whether `reopen` can be used; a case that only works with it says so in `needs`. */
  readonly canReopen: boolean
  /** Copies a store with `backup` and opens the copy. */
  openCopy(store: Store): Promise<Store>
}

/** What a case needs of a store beyond the interface; without it the case is skipped, with the reason. */
export type StoreNeed = 'persistent' | 'not-persistent' | 'atomic-commit'

/** One promise of every store, and how to see that it is kept. */
export interface StoreCase {
  /** In words, in the present tense: the contract page prints it. */
  readonly promise: string
  /** The requirements it shows. */
  readonly ids: readonly string[]
  readonly needs?: readonly StoreNeed[] | undefined
  run(context: StoreCaseContext): Promise<void>
}

/** A small event with this id. */
export function event(id: string | number, more: Partial<EventRecord> = {}): EventRecord {
  return { source: 'shop', id: String(id), type: 'order.placed', data: `{"n":${JSON.stringify(id)}}`, ...more }
}

/** Hands in one commit. */
export async function commitOne(store: Store, commit: Commit): Promise<CommitResult> {
  const results = await store.commit([commit])
  assert.equal(results.length, 1, 'one result per commit')
  return results[0]!
}

/** Appends events in one commit, which must be accepted. */
export async function append(store: Store, ...events: readonly EventRecord[]): Promise<readonly AppendResult[]> {
  const result = await commitOne(store, { events })
  assert.equal(result.kind, 'ok')
  return result.kind === 'ok' ? result.events : []
}

/** Appends `count` events with the ids `from`, `from + 1`, … */
export function fill(store: Store, count: number, from = 1): Promise<readonly AppendResult[]> {
  return append(store, ...Array.from({ length: count }, (_, index) => event(from + index)))
}

/** A ledger's small row. */
export function ledgerState(more: Partial<LedgerState> = {}): LedgerState {
  return { start: 0, examined: 0, follows: true, pending: [], counters: noCounters, state: 'running', ...more }
}

/** A ledger that the case owns. */
export interface OwnedLedger {
  readonly epoch: number
  /** Commits a change to it. */
  change(change: Omit<LedgerChange, 'subscription' | 'partition' | 'epoch'>, rest?: Commit): Promise<CommitResult>
}

/** Takes a ledger over. */
export async function own(store: Store, subscription = 'crm', initial = ledgerState()): Promise<OwnedLedger> {
  const { epoch } = await store.openLedger(subscription, 0, 'the case', initial)
  return {
    epoch,
    change: (change, rest = {}) =>
      commitOne(store, { ...rest, ledgers: [{ subscription, partition: 0, epoch, ...change }] }),
  }
}

/** An open row. */
export function row(sequence: Sequence, more: Partial<DeliveryRow> = {}): DeliveryRow {
  return { sequence, state: 'waiting', dueAt: 1000, done: [], attempt: 1, deaths: 0, attempts: [], ...more }
}

/** A dead letter. */
export function deadRow(sequence: Sequence, more: Partial<DeadRow> = {}): DeadRow {
  const attempts = [
    { at: 5, durationMs: 2, step: 'sink', outcome: 'retry' as const, reason: 'HTTP 503', detail: { status: 503 } },
  ]
  return {
    sequence,
    event: { ...event(sequence), sequence, appendedAt: 3 },
    reason: 'attempts-used-up',
    error: 'the far side answered 503',
    diedAt: 2000,
    attemptCount: 10,
    attempts,
    done: ['enrich'],
    ...more,
  }
}

/** A history row of one run that was delivered. */
export function historyRow(first: Sequence, last: Sequence, more: Partial<HistoryRow> = {}): HistoryRow {
  return { first, last, at: 1000, runs: [{ from: first, count: last - first + 1, state: 'delivered' }], ...more }
}

/** Compares by value; an absent field and an undefined one are the same, and so are bytes in any kind of buffer. */
export function same(actual: unknown, expected: unknown, message?: string): void {
  assert.deepEqual(comparable(actual), comparable(expected), message)
}

function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(fields.map(([key, inner]) => [key, comparable(inner)]))
}

/** Checks that a promise is rejected with an error of this code. */
export async function rejectsWith(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof AppError, `expected an AppError, got ${String(error)}`)
    assert.equal(error.code, code)
    return true
  })
}

/** Prunes until nothing more goes, because a store may remove a slice at a time. */
export async function pruneWholly(
  store: Store,
  what: Parameters<Store['prune']>[0],
): Promise<{ events: number; history: number }> {
  const gone = { events: 0, history: 0 }
  for (let round = 0; round < 1000; round++) {
    const { events, history } = await store.prune(what)
    gone.events += events
    gone.history += history
    if (events === 0 && history === 0) break
  }
  return gone
}

/** The ids of events. */
export const idsOf = (events: readonly { readonly id: string }[]): string[] => events.map(({ id }) => id)
/** The sequences of events or rows. */
export const sequencesOf = (rows: readonly { readonly sequence: Sequence }[]): Sequence[] =>
  rows.map(({ sequence }) => sequence)
