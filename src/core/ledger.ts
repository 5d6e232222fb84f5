import type { Sequence } from './event.ts'
import { historyRows, type Settlement } from './history-rows.ts'
import {
  ascending,
  type BatchRow,
  type Books,
  type Counters,
  type DeadRow,
  type DeliveryRow,
  type HeldRow,
  type HistoryRow,
  type KeptRow,
  type LedgerRecord,
  type LedgerState,
  noCounters,
  type StoredLedgerState,
} from './ledger-state.ts'
import type { SettledState } from './outcome.ts'

/** What changed since it was last taken: the body of a store's `LedgerChange`. */
export interface LedgerDelta {
  readonly ledger: LedgerState
  readonly put: readonly DeliveryRow[]
  readonly remove: readonly Sequence[]
  readonly bury: readonly DeadRow[]
  readonly unbury: readonly Sequence[]
  readonly hold: readonly HeldRow[]
  readonly batches: readonly BatchRow[]
  readonly kept: readonly KeptRow[]
  readonly endBatches: readonly string[]
  readonly history: readonly HistoryRow[]
}

/**
 * A subscription's ledger in memory. Every delivery is in exactly one place:
 *
 * - pending: matched, and known only by its sequence in the small row; delivered again after a crash.
 * - row: remembered on its own (waiting for a retry, part-way through stages, leased).
 * - held: a sequence in the row of its key, waiting for the ones before it.
 * - dead: a dead letter with its own copy of the event.
 * - settled: a count, and a run in the history.
 *
 * Methods move a delivery from one place to another; `take` answers what has to be written since the last call.
 * Nothing here reads a clock or does I/O.
 */
export class Ledger {
  readonly start: Sequence
  examined: Sequence
  follows: boolean
  state: StoredLedgerState
  reason: string | undefined
  failingSince: number | undefined
  readonly foldVersion: string | undefined
  openRows: number
  deadRows: number
  heldCount = 0
  readonly pending = new Set<Sequence>()
  readonly #counters: { -readonly [K in keyof Counters]: Counters[K] }
  #dirty = false
  #deliveredOnce: Sequence[] = []
  #settled: Settlement[] = []
  #put = new Map<Sequence, DeliveryRow>()
  #remove = new Set<Sequence>()
  #bury = new Map<Sequence, DeadRow>()
  #unbury = new Set<Sequence>()
  #hold = new Map<string, readonly Sequence[]>()
  #batches = new Map<string, BatchRow | undefined>()
  #kept = new Map<string, KeptRow>()

  constructor(record: LedgerState & Pick<LedgerRecord, 'openRows' | 'deadRows'>) {
    this.start = record.start
    this.examined = record.examined
    this.follows = record.follows
    this.state = record.state
    this.reason = record.reason
    this.failingSince = record.failingSince
    this.foldVersion = record.foldVersion
    this.openRows = record.openRows
    this.deadRows = record.deadRows
    for (const sequence of record.pending) this.pending.add(sequence)
    this.#counters = { ...noCounters, ...record.counters }
  }

  get counters(): Counters {
    return this.#counters
  }

  get isDirty(): boolean {
    return this.#dirty
  }

  /** Deliveries not settled: pending, in rows, held. `openRows` counts held sequences too. */
  get open(): number {
    return this.pending.size + this.openRows
  }

  touch(): void {
    this.#dirty = true
  }

  /** The event became a delivery. */
  match(sequence: Sequence): void {
    this.pending.add(sequence)
    this.#counters.matched += 1
    this.#dirty = true
  }

  countAttempts(attempts: number, retries: number): void {
    this.#counters.attempts += attempts
    this.#counters.retries += retries
    this.#dirty = true
  }

  /** A delivery that needed one attempt and never had a row: the common case, kept cheap. */
  deliverPending(sequence: Sequence): void {
    this.pending.delete(sequence)
    this.#counters.delivered += 1
    this.#counters.attempts += 1
    this.#deliveredOnce.push(sequence)
    this.#dirty = true
  }

  /** Ends a pending delivery or one with a row in a state other than `dead`. */
  settle(
    sequence: Sequence,
    state: Exclude<SettledState, 'dead'>,
    from: 'pending' | 'row' | 'held' | 'dead',
    facts: Omit<Settlement, 'sequence' | 'state'>,
  ): void {
    this.#leave(sequence, from)
    this.#counters[state] += 1
    this.#settled.push({ sequence, state, ...facts })
  }

  /** A dead letter: counted as current state, and as a transition. */
  bury(row: DeadRow, from: 'pending' | 'row' | 'held'): void {
    this.#leave(row.sequence, from)
    this.deadRows += 1
    this.#counters.died += 1
    this.#unbury.delete(row.sequence)
    this.#bury.set(row.sequence, row)
    this.#settled.push({
      sequence: row.sequence,
      state: 'dead',
      reason: row.reason,
      attemptCount: row.attemptCount,
      attempts: row.attempts,
    })
  }

  /** Writes or replaces a row; `from` is where the delivery was until now. */
  putRow(row: DeliveryRow, from: 'pending' | 'row' | 'held' | 'dead'): void {
    if (from !== 'row') {
      this.#leave(row.sequence, from)
      this.openRows += 1
    }
    if (from === 'dead') this.#counters.redriven += 1
    this.#remove.delete(row.sequence)
    this.#put.set(row.sequence, row)
    this.#dirty = true
  }

  /** Pending deliveries go behind their key; `sequences` is then the whole list of that key. */
  hold(key: string, sequences: readonly Sequence[], fromPending: readonly Sequence[]): void {
    for (const sequence of fromPending) {
      if (this.pending.delete(sequence)) {
        this.openRows += 1
        this.heldCount += 1
      }
    }
    this.#hold.set(key, sequences)
    this.#dirty = true
  }

  /** Writes the list of a key again after one has left it through `settle`, `bury` or `putRow`. */
  rewriteHeld(key: string, sequences: readonly Sequence[]): void {
    this.#hold.set(key, sequences)
    this.#dirty = true
  }

  /** What is remembered of a batch from now on; undefined is nothing. Its deliveries stay where they are. */
  setBatch(batch: string, row: BatchRow | undefined): void {
    this.#batches.set(batch, row)
    this.#dirty = true
  }

  /** A stage's value for a key from now on. */
  keep(row: KeptRow): void {
    this.#kept.set(`${row.stage} ${row.key}`, row)
    this.#dirty = true
  }

  /** Events that forced retention removed before they were examined. */
  loseUnexamined(count: number): void {
    this.#counters.matched += count
    this.#counters.lost += count
    this.#dirty = true
  }

  setState(state: StoredLedgerState, reason?: string): void {
    this.state = state
    this.reason = reason
    this.#dirty = true
  }

  /** Where it would start again after a crash: everything at or below is settled, as far as memory knows. */
  floor(examined: Sequence, lowestRow?: Sequence): Sequence {
    let floor = lowestRow === undefined ? examined : Math.min(examined, lowestRow - 1)
    for (const sequence of this.pending) if (sequence <= floor) floor = sequence - 1
    return floor
  }

  books(examined: Sequence): Books {
    const { matched, delivered, discarded, superseded, expired, lost } = this.#counters
    return {
      examined: examined - this.start,
      filtered: examined - this.start - matched,
      delivered,
      discarded,
      superseded,
      expired,
      dead: this.deadRows,
      lost,
      open: this.open,
    }
  }

  /** Everything to be written since the last call; undefined when nothing changed. */
  take(nowMs: number): LedgerDelta | undefined {
    if (!this.#dirty) return undefined
    const delta: LedgerDelta = {
      ledger: this.snapshot(),
      put: [...this.#put.values()],
      remove: [...this.#remove],
      bury: [...this.#bury.values()],
      unbury: [...this.#unbury],
      // Copied: the lists of keys grow in place, and a store writes what it was given later.
      hold: Array.from(this.#hold, ([key, sequences]) => ({ key, sequences: [...sequences] })),
      batches: [...this.#batches.values()].filter((row) => row !== undefined),
      endBatches: [...this.#batches.keys()].filter((batch) => this.#batches.get(batch) === undefined),
      kept: [...this.#kept.values()],
      history: historyRows(nowMs, this.#deliveredOnce, this.#settled),
    }
    this.#dirty = false
    if (this.#deliveredOnce.length > 0) this.#deliveredOnce = []
    if (this.#settled.length > 0) this.#settled = []
    // New ones: a table that is cleared in place hangs on the one before it, and both on what they held.
    if (this.#put.size > 0) this.#put = new Map()
    if (this.#remove.size > 0) this.#remove = new Set()
    if (this.#bury.size > 0) this.#bury = new Map()
    if (this.#unbury.size > 0) this.#unbury = new Set()
    if (this.#hold.size > 0) this.#hold = new Map()
    if (this.#batches.size > 0) this.#batches = new Map()
    if (this.#kept.size > 0) this.#kept = new Map()
    return delta
  }

  snapshot(): LedgerState {
    return {
      start: this.start,
      examined: this.examined,
      follows: this.follows,
      pending: ascending(this.pending),
      counters: { ...this.#counters },
      state: this.state,
      reason: this.reason,
      ...(this.failingSince !== undefined && { failingSince: this.failingSince }),
      ...(this.foldVersion !== undefined && { foldVersion: this.foldVersion }),
    }
  }

  #leave(sequence: Sequence, from: 'pending' | 'row' | 'held' | 'dead'): void {
    this.#dirty = true
    switch (from) {
      case 'pending':
        this.pending.delete(sequence)
        return
      case 'row':
        this.openRows -= 1
        this.#put.delete(sequence)
        this.#remove.add(sequence)
        return
      case 'held':
        this.openRows -= 1
        this.heldCount -= 1
        return
      case 'dead':
        this.deadRows -= 1
        this.#bury.delete(sequence)
        this.#unbury.add(sequence)
        return
    }
  }
}
