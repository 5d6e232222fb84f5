import type { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import { type Batch, formatReceipt, type Item, type Lapsed, parseReceipt, type Refused } from '../../core/lease.ts'
import { dueToClient } from '../../core/ledger-state.ts'
import { Shelf } from '../../core/shelf.ts'
import type { BatchSettings } from '../../plugin/define.ts'
import type { Batches, BatchReceipt, FetchedBatch, FetchOptions } from '../batches.ts'
import type { Flight } from '../flight.ts'
import type { Lane } from '../lane.ts'
import { type Described, describeItem } from './describe.ts'
import { NextAlarm } from './next-alarm.ts'
import { type Loaded, loadItems, readBatch } from './read-batch.ts'
import { refusal } from './refusal.ts'
import { untilExamined } from './until-examined.ts'
import { Waiters } from './waiters.ts'

/** `remaining` is exact up to here. */
const mostCounted = 10_000
const mostPerBatch = 10_000
/** What one answer may hold of events, about. */
const bytesPerBatch = 16 * 2 ** 20

/**
 * Deliveries that clients fetch in batches and confirm. The lane brings them here instead of attempting them; a shelf (core)
 * decides who may have them; every answer that promises something comes after the ledger is on disk.
 */
export class Pull implements Batches {
  readonly settings: BatchSettings
  readonly #lane: Lane
  readonly shelf: Shelf
  readonly #waiters: Waiters
  /** Coalesced deliveries: their keys go on when they are settled. */
  readonly #groups = new Map<Sequence, string>()
  readonly #alarm: NextAlarm
  /** Of what the lane counts as in memory, how much is here. */
  #counted = 0

  constructor(lane: Lane, settings: BatchSettings) {
    this.#lane = lane
    this.settings = settings
    this.#waiters = new Waiters(lane.around.platform)
    this.#alarm = new NextAlarm(lane.around.platform, () => {
      this.#lapse()
      this.#changed()
    })
    this.shelf = new Shelf({
      epoch: lane.epoch,
      mostOffers: lane.policy.retry.attempts,
      write: (batch, row) => lane.ledger.setBatch(batch, row),
    })
  }

  get #now(): number {
    return this.#lane.around.platform.clock.now()
  }

  /** A delivery has passed the stages, or there are none: from now on it waits for clients. */
  arrive(flight: Flight): void {
    const { sequence, key, group } = flight
    const lane = this.#lane
    lane.inMemory -= 1
    if (flight.from === 'row') {
      lane.ledger.putRow({ ...flight.toRow(dueToClient), state: 'leased' }, 'row')
      lane.due.forget(sequence)
    }
    this.place(sequence, key, flight.from === 'row')
    if (group !== undefined && key !== undefined) this.#groups.set(sequence, key)
    const blockedBy = key === undefined ? undefined : lane.order?.blockedBy(key)
    if (key !== undefined && (blockedBy === undefined || blockedBy === sequence)) lane.releaseKey(key)
    lane.around.settler().touch(lane)
  }

  /** Puts a delivery where clients get it; at start also those that are with one. */
  place(sequence: Sequence, key: string | undefined, hasRow: boolean, group = false): void {
    if (key !== undefined) this.shelf.unpark(key, sequence)
    const item = this.shelf.arrive(sequence, key, hasRow, this.#now)
    if (group && key !== undefined) this.#groups.set(sequence, key)
    this.#changed()
    if (item.place === 'dying') void this.#bury([item], 'not confirmed in time')
  }

  /** The next batch; undefined when there is nothing for so long as the client waits. Resolves after the lease is stored. */
  async fetchBatch(options: FetchOptions = {}): Promise<FetchedBatch | undefined> {
    const { clock } = this.#lane.around.platform
    const { signal } = options
    const until = clock.monotonic() + Math.min(options.waitMs ?? 0, this.settings.maxWaitMs)
    for (;;) {
      const fetched = await this.#fetchNow(options)
      if (this.shelf.isReady) this.#waiters.wakeOne()
      const restMs = until - clock.monotonic()
      if (fetched !== undefined || restMs <= 0 || this.#lane.isStopping) return fetched
      if (signal?.aborted) return undefined
      await this.#waiters.wait(restMs, signal)
    }
  }

  async confirm(batch: string, { receipt, sequences }: BatchReceipt): Promise<{ readonly confirmed: number }> {
    this.#lapse()
    const answer = this.shelf.confirm(batch, this.#proofOf(receipt), sequences, this.#now)
    if (answer.kind === 'refused') throw this.#refused(batch, answer)
    for (const item of answer.items) this.#deliver(item, answer.isLate)
    await this.#stored()
    return { confirmed: answer.items.length }
  }

  async release(
    batch: string,
    { receipt, sequences, delayMs = 0 }: BatchReceipt & { readonly delayMs?: number | undefined },
  ): Promise<{ readonly released: number }> {
    this.#lapse()
    const now = this.#now
    const answer = this.shelf.release(batch, this.#proofOf(receipt), sequences, now + delayMs, now)
    if (answer.kind === 'refused') throw this.#refused(batch, answer)
    this.#cameBack(answer, 'released by its client')
    await this.#stored()
    return { released: answer.items.length }
  }

  async extend(
    batch: string,
    { receipt, leaseMs = this.settings.leaseMs }: BatchReceipt & { readonly leaseMs?: number | undefined },
  ): Promise<{ readonly extended: number; readonly deadline: number }> {
    this.#lapse()
    const deadline = this.#now + leaseMs
    const answer = this.shelf.extend(batch, this.#proofOf(receipt), deadline, this.#now)
    if (answer.kind === 'refused') throw this.#refused(batch, answer)
    await this.#stored()
    return { extended: answer.items.length, deadline }
  }

  /** Settles an item by somebody else than its client; `settle` does what the ledger has to know. */
  gone(item: Item, settle: () => void): void {
    settle()
    this.#ended(item.sequence)
    this.shelf.remove(item.sequence, this.#now)
    this.#changed()
  }

  /** True when the delivery is too old: then it is settled. */
  expire({ item, flight }: Loaded): boolean {
    const lane = this.#lane
    // What the ending takes out of memory was counted here.
    lane.inMemory += 1
    const isExpired = lane.ends.expireIfOld(flight)
    if (isExpired) this.gone(item, () => undefined)
    else lane.inMemory -= 1
    return isExpired
  }

  putBack(batch: Batch, items: readonly Item[]): void {
    this.shelf.putBack(batch, items)
    this.#changed()
  }

  /** The dead letter is gone or comes back: its key goes on. */
  unpark(key: string, sequence: Sequence): void {
    this.shelf.unpark(key, sequence)
    this.#changed()
  }

  /** Where a delivery is among clients, in words; undefined when it is not here. */
  describe(sequence: Sequence): Described | undefined {
    const item = this.shelf.find(sequence)
    return item && describeItem(item, this.#now)
  }

  /** Clients that wait are answered, and no deadline is looked at any more. */
  stop(): void {
    this.#alarm.stop()
    this.#waiters.wakeAll()
  }

  async #fetchNow(options: FetchOptions): Promise<FetchedBatch | undefined> {
    const lane = this.#lane
    const { store, platform } = lane.around
    const limit = Math.max(1, Math.min(options.limit ?? this.settings.limit, mostPerBatch))
    const head = store.head()
    await untilExamined(lane, head, () => this.shelf.waiting >= limit)
    if (!lane.isRunning || options.signal?.aborted) return undefined
    this.#lapse()
    const secret = platform.digest(`${platform.id()}${platform.id()}`)
    const leaseMs = options.leaseMs ?? this.settings.leaseMs
    const made = await this.#offer(limit, platform.digest(secret), leaseMs)
    if (made === undefined) return undefined
    const { batch, loaded } = made
    lane.pump()
    await this.#stored()
    await untilExamined(lane, head, () => this.shelf.waiting >= mostCounted)
    const fetched = loaded.filter(({ item }) => batch.items.has(item.sequence))
    return {
      batch: batch.id,
      receipt: formatReceipt(batch.id, secret),
      events: fetched.map(({ flight }) => flight.event),
      payload: lane.policy.payload,
      deliveryCounts: fetched.map(({ item }) => item.count),
      remaining: Math.min(mostCounted, this.shelf.waiting - (leaseMs > 0 ? 0 : fetched.length)),
      deadline: batch.deadline,
    }
  }

  /** Makes a batch of what can still be delivered; undefined when nothing is there. */
  async #offer(limit: number, proof: string, leaseMs: number): Promise<{ batch: Batch; loaded: Loaded[] } | undefined> {
    for (;;) {
      const batch = this.shelf.take(limit)
      if (batch.items.size === 0) return undefined
      let loaded: Loaded[]
      try {
        loaded = await readBatch(this.#lane, batch, bytesPerBatch)
      } catch (error) {
        this.putBack(batch, [...batch.items.values()])
        throw error
      }
      // All of it may have been settled meanwhile.
      if (!this.shelf.offer(batch, proof, this.#now, leaseMs)) continue
      this.#changed()
      return { batch, loaded }
    }
  }

  #lapse(): void {
    const lapsed = this.shelf.lapse(this.#now)
    this.#cameBack(lapsed, 'not confirmed in time')
  }

  #cameBack({ items, dying }: Lapsed, why: string): void {
    if (items.length > 0) {
      this.#lane.ledger.countAttempts(items.length, items.length - dying.length)
      this.#changed()
    }
    if (dying.length > 0) void this.#bury(dying, why)
  }

  #deliver(item: Item, isLate: boolean): void {
    const { ledger } = this.#lane
    const { sequence, count, hasRow } = item
    if (!hasRow && count === 1 && !isLate) ledger.deliverPending(sequence)
    else {
      if (!isLate) ledger.countAttempts(1, 0)
      ledger.settle(sequence, 'delivered', hasRow ? 'row' : 'pending', { attemptCount: count })
    }
    this.#ended(sequence)
    this.#changed()
  }

  #ended(sequence: Sequence): void {
    const key = this.#groups.get(sequence)
    if (key === undefined) return
    this.#groups.delete(sequence)
    this.#lane.coalescer?.endKey(key)
    this.#lane.around.platform.soon(() => this.#lane.pump())
  }

  /** They were offered as often as the policy allows. */
  async #bury(items: readonly Item[], why: string): Promise<void> {
    const lane = this.#lane
    try {
      for (const { item, flight } of await loadItems(lane, items, ({ place }) => place === 'dying')) {
        const times = `${item.count} ${item.count === 1 ? 'time' : 'times'}`
        if (lane.policy.onFailure === 'park' && item.key !== undefined) this.shelf.park(item.key, item.sequence)
        this.gone(item, () => {
          lane.inMemory += 1
          lane.ends.die(flight, `gave up after it was offered ${times}: ${why}`)
        })
      }
    } catch (error) {
      if (lane.isStopping) return
      lane.around.log.error(`reading deliveries of ${lane.name} that are given up failed; it is tried again`, { error })
      lane.around.platform.after(1000, () => void this.#bury(items, why))
    }
  }

  /** What is on the shelf changed: the lane counts again, clients that wait are told, and the next deadline is looked for. */
  #changed(): void {
    const lane = this.#lane
    lane.inMemory += this.shelf.waiting - this.#counted
    this.#counted = this.shelf.waiting
    lane.around.settler().touch(lane)
    if (this.shelf.isReady) this.#waiters.wakeOne()
    if (!lane.isStopping) this.#alarm.set(this.shelf.nextDue())
  }

  async #stored(): Promise<void> {
    this.#lane.around.settler().touch(this.#lane)
    await this.#lane.around.settler().stored()
    this.#lane.pump()
  }

  #proofOf(receipt: string): string {
    const parsed = parseReceipt(receipt)
    return parsed === undefined ? '' : this.#lane.around.platform.digest(parsed.secret)
  }

  #refused(batch: string, refused: Refused): AppError {
    return refusal(this.#lane.name, batch, refused)
  }
}
