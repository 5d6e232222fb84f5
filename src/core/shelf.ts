import type { Sequence } from './event.ts'
import {
  type Batch,
  type Confirmed,
  chosen,
  type Done,
  type Item,
  isDelayed,
  type Lapsed,
  type Refused,
  refuse,
} from './lease.ts'
import type { BatchRow } from './ledger-state.ts'
import { OpenBatches, type WriteBatch } from './open-batches.ts'
import { ShelfItems } from './shelf-items.ts'

export interface ShelfOptions {
  /** Of the ledger: batches of different owners are told apart by it. */
  readonly epoch: number
  /** How often a delivery may be offered. */
  readonly mostOffers: number
  readonly write: WriteBatch
}

/**
 * The open deliveries of a subscription whose clients fetch batches: which of them wait, which are with whom, and how often
 * each was offered. Nothing here settles a delivery, reads a clock or does I/O.
 *
 * A delivery arrives `ready`. `take` makes a batch of those that are ready, the oldest first, and `offer` gives it a deadline:
 * they are `leased`. `confirm` ends that; at the deadline (`lapse`) or by `release` they are ready again, before what is newer.
 * A batch that lapsed can be confirmed until one of its deliveries is offered in another one. Every delivery that was ever
 * offered is remembered by the newest batch it was in, and so is how often, also after that batch can do nothing more.
 */
export class Shelf {
  readonly #options: ShelfOptions
  readonly #items = new ShelfItems()
  readonly #batches: OpenBatches
  /** At start: the batches of deliveries that have not arrived yet, the newest last. */
  readonly #expected = new Map<Sequence, { readonly batch: Batch; readonly count: number }[]>()

  constructor(options: ShelfOptions) {
    this.#options = options
    this.#batches = new OpenBatches(options.epoch, options.write)
  }

  /** Deliveries that are not with a client. */
  get waiting(): number {
    return this.#items.waiting
  }

  /** True when a batch can perhaps be made now. */
  get isReady(): boolean {
    return this.#items.isReady
  }

  find(sequence: Sequence): Item | undefined {
    return this.#items.find(sequence)
  }

  /** At start, before anything arrives: what is stored of the batches. */
  restore(rows: readonly BatchRow[], now: number): void {
    for (const { batch, row } of this.#batches.restore(rows, now)) {
      row.sequences.forEach((sequence, index) => {
        const of = this.#expected.get(sequence) ?? []
        this.#expected.set(sequence, [...of, { batch, count: row.counts[index]! }])
      })
    }
  }

  /** At start, when everything that is open has arrived: batches of which nothing is open any more end. */
  restored(now: number): void {
    this.#expected.clear()
    this.#batches.endEmpty(now)
  }

  /** An open delivery that clients may have from now on; one that is `dying` was offered as often as it may be. */
  arrive(sequence: Sequence, key: string | undefined, hasRow: boolean, now: number): Item {
    const known = this.#expected.get(sequence) ?? []
    const { batch, count } = known.at(-1) ?? { batch: undefined, count: 0 }
    const item: Item = { sequence, key, hasRow, place: 'leased', count, batch }
    for (const each of known) each.batch.items.set(sequence, item)
    this.#items.add(item, this.#placeAtStart(item, now))
    return item
  }

  /** Makes a batch of what is ready, the oldest first; it is empty when nothing is. It ends in `offer`. */
  take(limit: number): Batch {
    const batch = this.#batches.begin()
    while (batch.items.size < limit && this.#items.takeInto(batch));
    return batch
  }

  /** Leaves some of a batch that is being made to the next one. */
  putBack(batch: Batch, items: Iterable<Item>): void {
    for (const item of items) {
      batch.items.delete(item.sequence)
      if (item.place === 'taken') this.#items.bringBack(item)
    }
  }

  /**
   * The batch goes to its client, until the deadline; without a lease its deliveries stay where everybody gets them.
   * False when all of it was settled meanwhile: then there is no batch.
   */
  offer(batch: Batch, proof: string, now: number, leaseMs: number): boolean {
    dropGone(batch)
    if (batch.items.size === 0) return false
    Object.assign(batch, { state: leaseMs > 0 ? 'leased' : 'loose', proof, deadline: now + leaseMs })
    const before = new Set<Batch>()
    for (const item of batch.items.values()) {
      const old = item.batch
      if (old !== undefined && old.state !== 'loose') {
        old.items.delete(item.sequence)
        old.moved.push(item.sequence)
        before.add(old)
      }
      item.batch = batch
      item.count += 1
      if (leaseMs > 0) this.#items.lease(item)
      else this.#items.bringBack(item)
    }
    for (const old of before) this.#passOn(old, now)
    this.#batches.add(batch, now)
    return true
  }

  /** Ends what is confirmed; `sequences` undefined means all of the batch. */
  confirm(id: string, proof: string, sequences: readonly Sequence[] | undefined, now: number): Confirmed | Refused {
    const found = this.#batches.find(id, proof, now, ['confirmed'])
    if (found.kind === 'refused') return found
    if (found.kind === 'done') return { ...found, isLate: false }
    const { batch } = found
    dropGone(batch)
    const items = chosen(batch, sequences)
    const elsewhere = items.filter((item) => item.batch !== batch && item.batch!.state !== 'loose')
    if (elsewhere.length > 0)
      return refuse(
        'again',
        elsewhere.map(({ sequence }) => sequence),
      )
    for (const item of items) {
      this.#items.end(item)
      batch.items.delete(item.sequence)
    }
    batch.isConfirmed ||= items.length > 0
    const isLate = batch.state === 'lapsed'
    this.#batches.keep(batch, 'confirmed', now)
    return { kind: 'done', items, isLate }
  }

  /** Gives deliveries back, to be offered again from `until` on. */
  release(
    id: string,
    proof: string,
    sequences: readonly Sequence[] | undefined,
    until: number,
    now: number,
  ): (Done & Lapsed) | Refused {
    const found = this.#batches.find(id, proof, now, ['released', 'confirmed'])
    if (found.kind === 'refused') return found
    const batch = found.kind === 'live' ? found.batch : undefined
    if (batch !== undefined && batch.state !== 'leased') return refuse(batch.state === 'loose' ? 'loose' : 'expired')
    const items = batch === undefined ? [] : chosen(batch, sequences)
    if (batch === undefined || items.length === 0) return { kind: 'done', items, dying: [] }
    const back = Object.assign(this.#batches.begin(), { state: 'returned', deadline: until } as const)
    for (const item of items) {
      batch.items.delete(item.sequence)
      back.items.set(item.sequence, item)
      item.batch = back
    }
    const dying = this.#bringBack(items, until > now)
    this.#batches.add(back, now)
    this.#batches.keep(batch, batch.isConfirmed ? 'confirmed' : 'released', now)
    return { kind: 'done', items, dying }
  }

  /** A new deadline for what is still leased. */
  extend(id: string, proof: string, deadline: number, now: number): Done | Refused {
    const found = this.#batches.find(id, proof, now, [])
    if (found.kind !== 'live') return found
    const { batch } = found
    if (batch.state !== 'leased') return refuse(batch.state === 'loose' ? 'loose' : 'expired')
    batch.deadline = deadline
    this.#batches.watch(batch)
    this.#batches.keep(batch, 'again', now)
    return { kind: 'done', items: [...batch.items.values()] }
  }

  /** Brings back what nobody confirmed in time. Called before anything else that a later time may change. */
  lapse(now: number): Lapsed {
    const items: Item[] = []
    const dying: Item[] = []
    for (let batch = this.#batches.nextLapsed(now); batch !== undefined; batch = this.#batches.nextLapsed(now)) {
      const all = [...batch.items.values()]
      if (batch.state === 'returned') {
        for (const item of all) if (item.place === 'delayed') this.#items.letGo(item)
        continue
      }
      batch.state = 'lapsed'
      this.#batches.keep(batch, 'again', now)
      items.push(...all)
      dying.push(...this.#bringBack(all, false))
    }
    return { items, dying }
  }

  /** When `lapse` has something to do next. */
  nextDue(): number | undefined {
    return this.#batches.nextDue()
  }

  /** The delivery was settled by somebody else than a client. */
  remove(sequence: Sequence, now: number): void {
    const item = this.#items.find(sequence)
    if (item === undefined) return
    this.#items.end(item)
    const { batch } = item
    if (batch?.items.delete(sequence)) this.#batches.keep(batch, batch.state === 'loose' ? 'confirmed' : 'again', now)
  }

  /** The key waits behind a dead letter. */
  park(key: string, behind: Sequence): void {
    this.#items.park(key, behind)
  }

  /** The dead letter is discarded, or comes back to be first. */
  unpark(key: string, behind: Sequence): void {
    this.#items.unpark(key, behind)
  }

  #placeAtStart({ batch, count }: Item, now: number): 'leased' | 'delayed' | 'dying' | 'ready' {
    if (batch === undefined || batch.state === 'loose') return 'ready'
    if (batch.state === 'leased') return 'leased'
    if (count >= this.#options.mostOffers) return 'dying'
    return isDelayed(batch, now) ? 'delayed' : 'ready'
  }

  /** They are nobody's any more; answers those that may not be offered again. */
  #bringBack(items: readonly Item[], isLater: boolean): Item[] {
    const isDying = ({ count }: Item): boolean => count >= this.#options.mostOffers
    for (const item of items) {
      if (isDying(item)) this.#items.holdBack(item, 'dying')
      else if (isLater) this.#items.holdBack(item, 'delayed')
      else this.#items.bringBack(item)
    }
    return items.filter(isDying)
  }

  /** Part of the batch is in a newer one: from now on it only remembers counts. */
  #passOn(batch: Batch, now: number): void {
    if (batch.state === 'lapsed') batch.state = 'stale'
    this.#batches.keep(batch, 'again', now)
  }
}

function dropGone(batch: Batch): void {
  for (const item of batch.items.values()) if (item.place === 'gone') batch.items.delete(item.sequence)
}
