import { AppError } from '../../core/errors.ts'
import type {
  BatchRow,
  DeadRow,
  DeliveryRow,
  HeldRow,
  KeptRow,
  LedgerRecord,
  LedgerState,
} from '../../core/ledger-state.ts'
import type { DeadQuery, HistoryPage, HistoryQuery, KeptQuery, LedgerChange, RowQuery } from '../../plugin/store.ts'
import { historyOrder, MemoryLedger, positionOf, rowOrder } from './ledger.ts'

/** Every ledger of a memory store, by subscription and partition. */
export class MemoryLedgers {
  readonly #partitions = new Map<string, Map<number, MemoryLedger>>()
  /** One counter for all, so that a subscription that was dropped and opened again still fences its former owner. */
  #epochs = 0
  #places = 0

  open(subscription: string, partition: number, owner: string, initial: LedgerState): LedgerRecord {
    let partitions = this.#partitions.get(subscription)
    if (partitions === undefined) {
      partitions = new Map()
      this.#partitions.set(subscription, partitions)
    }
    let ledger = partitions.get(partition)
    if (ledger === undefined) {
      ledger = new MemoryLedger(subscription, partition, initial)
      partitions.set(partition, ledger)
    }
    ledger.epoch = ++this.#epochs
    ledger.owner = owner
    return ledger.record()
  }

  /** Why a writer with this epoch may not write; undefined when it may. */
  refusal(subscription: string, partition: number, epoch: number): string | undefined {
    const ledger = this.#partitions.get(subscription)?.get(partition)
    if (ledger === undefined) return `the ledger ${subscription}/${partition} was never opened or is dropped`
    if (ledger.epoch === epoch) return undefined
    return `the ledger ${subscription}/${partition} is at epoch ${ledger.epoch}, the writer at ${epoch}`
  }

  apply(change: LedgerChange): void {
    this.#partitions
      .get(change.subscription)
      ?.get(change.partition)
      ?.apply(change, () => ++this.#places)
  }

  records(): LedgerRecord[] {
    return [...this.#partitions.values()].flatMap((partitions) => [...partitions.values()].map((one) => one.record()))
  }

  drop(subscription: string): void {
    this.#partitions.delete(subscription)
  }

  replace(subscription: string, by: string, owner: string): LedgerRecord {
    const partitions = this.#partitions.get(by)
    const ledger = partitions?.get(0)
    if (partitions === undefined || ledger === undefined)
      throw new AppError('state-conflict', `replacing the ledger of ${subscription} failed: there is none of ${by}`)
    this.#partitions.delete(by)
    this.#partitions.set(subscription, partitions)
    for (const one of partitions.values()) {
      one.subscription = subscription
      one.epoch = ++this.#epochs
      one.owner = owner
    }
    return ledger.record()
  }

  rows(subscription: string, query: RowQuery): DeliveryRow[] {
    const rows = this.#of(subscription).flatMap((ledger) => ledger.rows(query))
    return rows.sort(rowOrder(query)).slice(0, query.limit)
  }

  nextDue(subscription: string): number | undefined {
    const times = this.#of(subscription)
      .map((ledger) => ledger.nextDue())
      .filter((time) => time !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  held(subscription: string): HeldRow[] {
    return this.#of(subscription).flatMap((ledger) => ledger.held())
  }

  kept(subscription: string, query: KeptQuery): KeptRow[] {
    const rows = this.#of(subscription).flatMap((ledger) => ledger.kept(query))
    return 'limit' in query ? rows.slice(0, query.limit) : rows
  }

  keptStages(subscription: string): string[] {
    return [...new Set(this.#of(subscription).flatMap((ledger) => ledger.keptStages()))].sort()
  }

  batches(subscription: string): BatchRow[] {
    return this.#of(subscription).flatMap((ledger) => ledger.batches())
  }

  dead(subscription: string, query: DeadQuery): DeadRow[] {
    const rows = this.#of(subscription).flatMap((ledger) => ledger.dead(query))
    return rows.sort((a, b) => a.sequence - b.sequence).slice(0, query.limit)
  }

  history(subscription: string, query: HistoryQuery): HistoryPage {
    const found = this.#of(subscription).flatMap((ledger) => ledger.history(query))
    const page = found.sort(historyOrder).slice(0, query.limit)
    const rows = page.map(({ row }) => row)
    const last = page.at(-1)
    return last !== undefined && found.length > page.length ? { rows, next: positionOf(last) } : { rows }
  }

  historyBase(subscription: string): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const ledger of this.#of(subscription)) {
      for (const [state, count] of Object.entries(ledger.historyBase())) counts[state] = (counts[state] ?? 0) + count
    }
    return counts
  }

  pruneHistory(beforeMs: number): number {
    let count = 0
    for (const partitions of this.#partitions.values()) {
      for (const ledger of partitions.values()) count += ledger.pruneHistory(beforeMs)
    }
    return count
  }

  #of(subscription: string): MemoryLedger[] {
    return [...(this.#partitions.get(subscription)?.values() ?? [])]
  }
}
