import type { Sequence } from '../../core/event.ts'
import { foldHistory } from '../../core/history.ts'
import type {
  BatchRow,
  DeadRow,
  DeliveryRow,
  HeldRow,
  HistoryRow,
  KeptRow,
  LedgerRecord,
  LedgerState,
  SuspectMark,
} from '../../core/ledger-state.ts'
import { compilePatterns } from '../../core/match.ts'
import type { DeadQuery, HistoryQuery, KeptQuery, LedgerChange, RowQuery } from '../../plugin/store.ts'

/** A history row with its place among all. */
export interface HistoryEntry {
  readonly place: number
  readonly row: HistoryRow
}

/** One partition of one subscription's ledger, with everything that hangs on it. */
export class MemoryLedger {
  subscription: string
  readonly partition: number
  epoch = 0
  owner = ''
  mark: SuspectMark | undefined
  #state: LedgerState
  readonly #rows = new Map<Sequence, DeliveryRow>()
  readonly #dead = new Map<Sequence, DeadRow>()
  readonly #held = new Map<string, readonly Sequence[]>()
  readonly #batches = new Map<string, BatchRow>()
  readonly #kept = new Map<string, KeptRow>()
  #history: HistoryEntry[] = []
  #historyBase: Record<string, number> = {}

  constructor(subscription: string, partition: number, initial: LedgerState) {
    this.subscription = subscription
    this.partition = partition
    this.#state = initial
  }

  record(): LedgerRecord {
    const held = [...this.#held.values()].flat()
    const needed = [...this.#rows.keys(), ...held]
    return {
      ...this.#state,
      subscription: this.subscription,
      partition: this.partition,
      epoch: this.epoch,
      owner: this.owner,
      openRows: needed.length,
      deadRows: this.#dead.size,
      lowestRow: needed.length === 0 ? undefined : needed.reduce((a, b) => Math.min(a, b)),
      mark: this.mark,
    }
  }

  /** Takes over a change; `nextPlace` numbers the history of all ledgers in the order in which it came. */
  apply(change: LedgerChange, nextPlace: () => number): void {
    if (change.ledger !== undefined) this.#state = change.ledger
    for (const sequence of change.remove ?? []) this.#rows.delete(sequence)
    for (const row of change.put ?? []) this.#rows.set(row.sequence, row)
    for (const sequence of change.unbury ?? []) this.#dead.delete(sequence)
    for (const row of change.bury ?? []) this.#dead.set(row.sequence, row)
    for (const { key, sequences } of change.hold ?? []) {
      if (sequences.length === 0) this.#held.delete(key)
      else this.#held.set(key, sequences)
    }
    for (const batch of change.endBatches ?? []) this.#batches.delete(batch)
    for (const row of change.batches ?? []) this.#batches.set(row.batch, row)
    for (const row of change.kept ?? []) {
      const name = `${row.stage} ${row.key}`
      if (row.value === null) this.#kept.delete(name)
      else this.#kept.set(name, row)
    }
    for (const row of change.history ?? []) this.#history.push({ place: nextPlace(), row })
    if (change.mark !== undefined) this.mark = change.mark ?? undefined
  }

  rows(query: RowQuery): DeliveryRow[] {
    const { dueBefore, dueFrom = 0, after = 0, sequences } = query
    const picked = sequences === undefined ? undefined : new Set(sequences)
    const rows = [...this.#rows.values()].filter(
      (row) =>
        row.sequence > after &&
        (dueBefore === undefined || (row.dueAt <= dueBefore && row.dueAt >= dueFrom)) &&
        (picked === undefined || picked.has(row.sequence)),
    )
    return rows.sort(rowOrder(query)).slice(0, query.limit)
  }

  nextDue(): number | undefined {
    let next: number | undefined
    for (const { dueAt } of this.#rows.values()) if (next === undefined || dueAt < next) next = dueAt
    return next
  }

  held(): HeldRow[] {
    return [...this.#held].map(([key, sequences]) => ({ key, sequences })).sort(heldOrder)
  }

  batches(): BatchRow[] {
    return [...this.#batches.values()]
  }

  kept(query: KeptQuery): KeptRow[] {
    const rows = [...this.#kept.values()]
    if ('keys' in query) {
      const wanted = new Set(query.keys)
      return rows.filter(({ stage, key }) => stage === query.stage && wanted.has(key))
    }
    if ('dueBefore' in query) {
      return rows
        .filter(({ dueAt }) => dueAt !== undefined && dueAt <= query.dueBefore)
        .sort((a, b) => a.dueAt! - b.dueAt! || compare(a.stage, b.stage) || compare(a.key, b.key))
        .slice(0, query.limit)
    }
    const { stage, after, prefix = '', limit } = query
    return rows
      .filter((row) => row.stage === stage && row.key.startsWith(prefix))
      .filter(({ key }) => after === undefined || compare(key, after) > 0)
      .sort((a, b) => compare(a.key, b.key))
      .slice(0, limit)
  }

  keptStages(): string[] {
    return [...this.#kept.values()].map(({ stage }) => stage)
  }

  dead(query: DeadQuery): DeadRow[] {
    const { after = 0, sequences, type, diedBefore } = query
    const picked = sequences === undefined ? undefined : new Set(sequences)
    const matches = type === undefined ? undefined : compilePatterns(type)
    const rows = [...this.#dead.values()].filter(
      (row) =>
        row.sequence > after &&
        (picked === undefined || picked.has(row.sequence)) &&
        (matches === undefined || matches(row.event?.type ?? '')) &&
        (diedBefore === undefined || row.diedAt < diedBefore),
    )
    return rows.sort((a, b) => a.sequence - b.sequence).slice(0, query.limit)
  }

  /** Every history row that a query asks for, not yet paged. */
  history({ sequence, after }: HistoryQuery): HistoryEntry[] {
    return this.#history.filter(
      (entry) =>
        (after === undefined || isLater(entry, after)) &&
        (sequence === undefined || (entry.row.first <= sequence && entry.row.last >= sequence)),
    )
  }

  historyBase(): Readonly<Record<string, number>> {
    return this.#historyBase
  }

  pruneHistory(beforeMs: number): number {
    const gone = this.#history.filter(({ row }) => row.at < beforeMs)
    if (gone.length === 0) return 0
    this.#history = this.#history.filter(({ row }) => row.at >= beforeMs)
    this.#historyBase = foldHistory(
      gone.map(({ row }) => row),
      this.#historyBase,
    )
    return gone.length
  }
}

/** Due rows come by due time, all others by sequence. */
export function rowOrder(query: RowQuery): (a: DeliveryRow, b: DeliveryRow) => number {
  if (query.dueBefore === undefined) return (a, b) => a.sequence - b.sequence
  return (a, b) => a.dueAt - b.dueAt || a.sequence - b.sequence
}

const heldOrder = (a: HeldRow, b: HeldRow): number =>
  (a.sequences[0] ?? 0) - (b.sequences[0] ?? 0) || (a.key < b.key ? -1 : 1)

/** History comes in order of the last sequence of each row; rows that end alike, in the order in which they came. */
export const historyOrder = (a: HistoryEntry, b: HistoryEntry): number => a.row.last - b.row.last || a.place - b.place

/** What a page ends with, as text that the next query hands back. */
export const positionOf = ({ row, place }: HistoryEntry): string => `${row.last}.${place}`

function isLater({ row, place }: HistoryEntry, position: string): boolean {
  const [last = 0, before = 0] = position.split('.').map(Number)
  return row.last > last || (row.last === last && place > before)
}

/** In the order of code points, as SQLite compares text. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
