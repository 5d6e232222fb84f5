import { messageOf } from '../core/errors.ts'
import { Event, type Json, type Sequence } from '../core/event.ts'
import { type DeliveryRow, dueToClient } from '../core/ledger-state.ts'
import type { Timer } from '../core/platform.ts'
import { Flight, noContext } from './flight.ts'
import type { Lane } from './lane.ts'
import { endBegun } from './once.ts'
import { buryUnreadable, readEvents } from './unreadable.ts'
import type { Asleep } from './wake.ts'

/** Rows in memory at once, beside the window: retries go on while live traffic fills it. */
const rowsInMemory = 256
/** How soon a redriven or delayed delivery looks again whether its key is free. */
const orderWaitMs = 1000
const never = Number.POSITIVE_INFINITY

/**
 * Brings a lane's remembered deliveries back into memory when they are due, from the stored due times; one timer.
 * Held deliveries come when their key is free.
 */
export class DueRows {
  readonly #lane: Lane
  /** Deliveries with a row that are in memory now. */
  readonly #inFlight = new Set<Sequence>()
  /** Those of them that came into memory from a row, and not by way of the log. */
  readonly #loaded = new Set<Sequence>()
  /** For each read of rows under way: what left memory since it began, so that what it says of it is out of date. */
  readonly #reads = new Set<Set<Sequence>>()
  #nextDue = never
  #timer: Timer | undefined
  #timerAt = never
  #loading: Promise<void> | undefined

  constructor(lane: Lane) {
    this.#lane = lane
  }

  get isLoading(): boolean {
    return this.#loading !== undefined
  }

  /** Due time of the next waiting row, as far as known. */
  get nextDue(): number | undefined {
    return this.#nextDue === never ? undefined : this.#nextDue
  }

  has(sequence: Sequence): boolean {
    return this.#inFlight.has(sequence)
  }

  track(flight: Flight): void {
    this.#inFlight.add(flight.sequence)
    this.#loaded.add(flight.sequence)
  }

  /** It is in memory by way of the log, and has a row from now on: it takes no place from those that wait for a retry. */
  keep(flight: Flight): void {
    this.#inFlight.add(flight.sequence)
  }

  forget(sequence: Sequence): void {
    this.#inFlight.delete(sequence)
    this.#loaded.delete(sequence)
    for (const changed of this.#reads) changed.add(sequence)
  }

  /** It waits in a row, and without a key: those behind it go on, and it takes its place in the order when it is due. */
  delay(event: Event, dueAt: number): void {
    this.#lane.ledger.putRow(new Flight(event, undefined, 'pending').toRow(dueAt), 'pending')
    this.expect(dueAt)
  }

  /** A row is due at this time. */
  expect(dueAt: number): void {
    if (dueAt < this.#nextDue) this.#nextDue = dueAt
    this.look()
  }

  /** Loads what is due when there is room, else sets the timer. */
  look(): void {
    const lane = this.#lane
    if (this.#nextDue === never || this.#loading !== undefined || !lane.isRunning || lane.gate.isShut) return
    if (this.#loaded.size >= rowsInMemory) return
    const now = lane.around.platform.clock.now()
    if (this.#nextDue <= now) {
      this.#loading = this.#load(now)
        .catch((error: unknown) => this.#retryLater(error))
        .finally(() => {
          this.#loading = undefined
          lane.pump()
          this.look()
        })
      return
    }
    if (this.#timer !== undefined && this.#timerAt <= this.#nextDue) return
    this.#timer?.cancel()
    this.#timerAt = this.#nextDue
    this.#timer = lane.around.platform.after(this.#nextDue - now, () => {
      this.#timer = undefined
      this.look()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** The first held delivery of a free key. */
  loadHeld(key: string, sequence: Sequence): void {
    const lane = this.#lane
    const run = async (): Promise<void> => {
      const { events, damaged } = await readEvents(lane.around.store, [sequence])
      const damage = damaged.get(sequence)
      if (damage !== undefined) {
        buryUnreadable(lane, sequence, 'held', damage, { key })
        lane.pump()
        return
      }
      const event = events.get(sequence)
      if (event === undefined) {
        lane.ledger.settle(sequence, 'lost', 'held', { reason: 'removed by forced retention', attemptCount: 0 })
        lane.ledger.rewriteHeld(key, lane.order!.leaveHeld(key, sequence))
        lane.around.settler().touch(lane)
        lane.releaseKey(key)
        return
      }
      const flight = new Flight(event, key, 'held')
      this.track(flight)
      lane.inMemory += 1
      lane.ready.push(flight)
      lane.pump()
    }
    run().catch((error: unknown) => {
      if (lane.isStopping) return
      lane.around.log.error(`reading a held event of ${lane.name} failed; it is tried again`, {
        error: messageOf(error),
      })
      lane.around.platform.after(1000, () => this.loadHeld(key, sequence))
    })
  }

  /** Those of these deliveries that wait in a row, to be given to `wake`. */
  async findAsleep(sequences: readonly Sequence[]): Promise<Asleep> {
    const { around, name } = this.#lane
    const changed = new Set<Sequence>()
    this.#reads.add(changed)
    try {
      await around.settler().flush()
      const rows = await around.store.rows(name, { sequences, limit: sequences.length })
      return { rows, changed }
    } catch (error) {
      this.#reads.delete(changed)
      throw error
    }
  }

  /** What waits is due now, unless it has gone on since it was found. */
  wake({ rows, changed }: Asleep): void {
    const { ledger, around } = this.#lane
    this.#reads.delete(changed)
    const now = around.platform.clock.now()
    for (const row of rows) {
      const isAsleep = row.state === 'waiting' && row.dueAt > now && row.unreadable === undefined
      if (!isAsleep || row.group !== undefined || this.#inFlight.has(row.sequence) || changed.has(row.sequence))
        continue
      ledger.putRow({ ...row, dueAt: now }, 'row')
      around.settler().touch(this.#lane)
      this.expect(now)
    }
  }

  async #load(now: number): Promise<void> {
    const changed = new Set<Sequence>()
    this.#reads.add(changed)
    try {
      await this.#loadDue(now, changed)
    } finally {
      this.#reads.delete(changed)
    }
  }

  async #loadDue(now: number, changed: ReadonlySet<Sequence>): Promise<void> {
    const lane = this.#lane
    this.#nextDue = never
    await lane.around.settler().flush()
    const room = rowsInMemory - this.#loaded.size
    // Some rows of the answer are in memory, or left it since: with them counted, the page reaches one that is not.
    const limit = this.#inFlight.size + changed.size + room + 1
    const rows = await lane.around.store.rows(lane.name, { dueBefore: dueToClient - 1, limit })
    const due: DeliveryRow[] = []
    let isWholeList = rows.length < limit
    for (const row of rows) {
      if (this.#inFlight.has(row.sequence) || changed.has(row.sequence)) continue
      if (row.dueAt > now || due.length === room) {
        this.#nextDue = Math.min(this.#nextDue, row.dueAt)
        isWholeList = true
        break
      }
      due.push(row)
    }
    // The page ended before one that waits: there may be more, due no earlier than its last.
    if (!isWholeList) this.#nextDue = Math.min(this.#nextDue, rows.at(-1)!.dueAt)
    await this.#bringIn(due, changed)
  }

  async #bringIn(rows: readonly DeliveryRow[], changed: ReadonlySet<Sequence>): Promise<void> {
    if (rows.length === 0) return
    const lane = this.#lane
    const { events, damaged } = await readEvents(
      lane.around.store,
      rows.map(({ sequence }) => sequence),
    )
    for (const row of rows) {
      if (changed.has(row.sequence)) continue
      const event = events.get(row.sequence)
      // One that a stage replaced does not need the event of the log.
      const why = row.unreadable ?? (row.event === undefined ? damaged.get(row.sequence) : undefined)
      if (why !== undefined) {
        buryUnreadable(lane, row.sequence, 'row', why, { row, key: row.key, event })
        if (row.key !== undefined) lane.coalescer?.lose(row.key, row.sequence)
        continue
      }
      if (event === undefined && row.event === undefined) {
        lane.ledger.settle(row.sequence, 'lost', 'row', {
          reason: 'removed by forced retention',
          attemptCount: row.attempt,
        })
        if (row.key !== undefined) lane.coalescer?.lose(row.key, row.sequence)
        lane.around.settler().touch(lane)
        if (row.key !== undefined) lane.releaseKey(row.key)
        continue
      }
      if (row.begunAt !== undefined) {
        if (row.key !== undefined) lane.coalescer?.lose(row.key, row.sequence)
        endBegun(lane, fromRow(row, event), row.begunAt)
        continue
      }
      // A delayed one waited without its key: it takes its place behind those that are there.
      const key = row.key ?? (event && lane.keyOf(event))
      this.#admit(fromRow({ ...row, key }, event), row)
    }
  }

  /** The head of its key runs; one put back from the dead letters, or delayed, finds its place in the order first. */
  #admit(flight: Flight, row: DeliveryRow): void {
    const lane = this.#lane
    const { order, coalescer } = lane
    if (flight.key !== undefined && coalescer !== undefined && row.group !== undefined) {
      coalescer.enter(flight, row.group, row.dueAt)
      return
    }
    if (flight.key !== undefined && order !== undefined && order.blockedBy(flight.key) !== flight.sequence) {
      if (order.wouldHold(flight.key)) {
        this.#nextDue = Math.min(this.#nextDue, Math.max(row.dueAt, lane.around.platform.clock.now()) + orderWaitMs)
        return
      }
      this.track(flight)
      lane.inMemory += 1
      if (order.arrive(flight.key, flight) === 'run') lane.ready.push(flight)
      return
    }
    this.track(flight)
    lane.inMemory += 1
    lane.ready.push(flight)
  }

  #retryLater(error: unknown): void {
    const lane = this.#lane
    // The store was closed under a read: the next start finds the row.
    if (lane.isStopping) return
    lane.around.log.error(`reading the due deliveries of ${lane.name} failed; it is tried again`, {
      error: messageOf(error),
    })
    this.#nextDue = lane.around.platform.clock.now() + 1000
  }
}

/** A remembered delivery in memory. */
export function fromRow(row: DeliveryRow, event: Event | undefined): Flight {
  const appendedAt = event?.record.appendedAt ?? 0
  const current = row.event === undefined ? event! : new Event({ ...row.event, sequence: row.sequence, appendedAt })
  const flight = new Flight(current, row.key, 'row')
  flight.attempt = row.attempt
  flight.attemptCount = Math.max(row.attempt, row.attempts.length)
  flight.attempts = row.attempts
  flight.done = row.done
  flight.context = row.context === undefined ? noContext : (JSON.parse(row.context) as Record<string, Json>)
  flight.replaced = row.event
  flight.deaths = row.deaths
  flight.redriven = row.redriven
  return flight
}
