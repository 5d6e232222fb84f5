import { type Arrival, type Coalescing, coalesceKey, type Group } from '../core/coalesce.ts'
import { Event, type Sequence, timeText } from '../core/event.ts'
import { type DeliveryRow, dueToClient } from '../core/ledger-state.ts'
import { Flight } from './flight.ts'
import type { Lane } from './lane.ts'

/**
 * Coalesces a lane's deliveries. Every group that waits is a row with its due time and what it stands for, so that a crash
 * changes nothing; rows come into memory when they are due. What is superseded is settled at once, with its successor's name.
 */
export class Coalescer {
  readonly #lane: Lane
  readonly #keys: Coalescing
  /** Representatives that are in memory and not yet begun, by key. */
  readonly #loaded = new Map<string, Flight>()
  /** What a waiting retry has been through, for the record when it is superseded. */
  readonly #tried = new Map<Sequence, Pick<DeliveryRow, 'attempt' | 'attempts'>>()

  constructor(lane: Lane, keys: Coalescing) {
    this.#lane = lane
    this.#keys = keys
  }

  keyOf(event: Event): string | undefined {
    return coalesceKey(event.type, event.subject)
  }

  /** A matching event with a key: it opens a group, or takes the place of the one that waits. */
  arrive(key: string, event: Event, notBefore?: number): void {
    const lane = this.#lane
    lane.ledger.match(event.sequence)
    if (this.#takeOver(key, event, notBefore)) return
    const arrival = this.#keys.arrive(key, event.sequence, event.record.appendedAt, notBefore)
    if (arrival.superseded !== undefined) this.#supersede(key, arrival.superseded, event.sequence)
    const flight = new Flight(event, key, 'pending')
    flight.group = arrival.group
    lane.ledger.putRow(flight.toRow(arrival.dueAt), 'pending')
    lane.due.expect(arrival.dueAt)
    lane.around.settler().touch(lane)
  }

  /**
   * A newer event takes the place of a delivery that waits for clients and that none has had: at once, as its quiet time
   * is over. What has passed stages stays, because the newer event has not.
   */
  #takeOver(key: string, event: Event, notBefore = 0): boolean {
    const { pull, setup, ledger, around } = this.#lane
    const sealed = this.#keys.sealed(key)
    if (pull === undefined || sealed?.isAlone !== true || setup.stages.length > 0) return false
    const item = pull.shelf.find(sealed.sequence)
    const isUntouched = item?.count === 0 && (item.place === 'ready' || item.place === 'blocked')
    if (!isUntouched || notBefore > around.platform.clock.now()) return false
    const flight = new Flight(event, key, 'pending')
    const { count, firstAt } = sealed.group
    flight.group = { count: count + 1, firstAt, lastAt: event.record.appendedAt }
    pull.gone(item, () => this.#settle(item.sequence, event.sequence, undefined))
    this.#keys.restoreSealed(key, event.sequence, flight.group)
    ledger.putRow({ ...flight.toRow(dueToClient), state: 'leased' }, 'pending')
    pull.place(event.sequence, key, true, true)
    around.settler().touch(this.#lane)
    return true
  }

  /** What the begun delivery of a key stands for; its row may not be on disk yet. */
  groupOf(key: string, sequence: Sequence): Group | undefined {
    const sealed = this.#keys.sealed(key)
    return sealed?.sequence === sequence ? sealed.group : undefined
  }

  /** A due delivery is in memory: ready at once, or when the attempt before it has ended. */
  enter(flight: Flight, group: Group, dueAt: number): void {
    const lane = this.#lane
    const key = flight.key!
    flight.group = group
    if (!this.#keys.isOpen(key, flight.sequence)) {
      const arrival = this.#keys.restore(key, { sequence: flight.sequence, dueAt, group }, true)
      if (arrival.superseded === flight.sequence) {
        this.#settle(flight.sequence, arrival.sequence, flight)
        return
      }
      if (arrival.superseded !== undefined) this.#supersede(key, arrival.superseded, flight.sequence)
    }
    this.#tried.delete(flight.sequence)
    this.#loaded.set(key, flight)
    lane.due.track(flight)
    lane.inMemory += 1
    if (this.#keys.mayStart(key)) lane.ready.push(flight)
  }

  /** A dead letter that is put back stands for itself alone; one newer than it wins. */
  revive(row: DeliveryRow, at: number): DeliveryRow {
    return row.key === undefined ? row : { ...row, group: { count: 1, firstAt: at, lastAt: at } }
  }

  /** After a restart, before anything runs: rows of one key are one group. */
  restore(row: DeliveryRow): void {
    const { key, sequence, dueAt, group } = row
    // Left by a configuration that did not coalesce.
    if (key === undefined || group === undefined) return
    // Clients have it, or may have: it takes in nothing more.
    if (row.state === 'leased') {
      this.#keys.restoreSealed(key, sequence, group)
      return
    }
    this.#tried.set(sequence, row)
    const arrival = this.#keys.restore(key, { sequence, dueAt, group }, row.attempt > 0)
    if (arrival.superseded === undefined) return
    this.#supersede(key, arrival.superseded, arrival.sequence)
    this.#rewrite(key, arrival)
  }

  /** An attempt begins: from now on the group takes in nothing more. The event says what it stands for. */
  seal(flight: Flight): void {
    const key = flight.key!
    this.#loaded.delete(key)
    flight.group = this.#keys.seal(key)
    if (flight.group.count > 1) flight.event = withGroup(flight.event, flight.group)
  }

  /** The attempt failed and is to be made again: false when a newer event has taken over, and this one is superseded. */
  reopen(flight: Flight, dueAt: number): boolean {
    const key = flight.key!
    const arrival = this.#keys.reopen(key, dueAt)
    if (arrival.superseded === undefined) {
      this.#tried.set(flight.sequence, { attempt: flight.attemptCount, attempts: flight.attempts })
      return true
    }
    this.#rewrite(key, arrival)
    return false
  }

  /** The delivery is settled: what opened meanwhile may start. */
  end(flight: Flight): void {
    const key = flight.key!
    if (this.#loaded.get(key) === flight) {
      this.#loaded.delete(key)
      this.#keys.leave(key, flight.sequence)
      return
    }
    this.endKey(key)
  }

  /** The sealed delivery of a key is settled. */
  endKey(key: string): void {
    const open = this.#keys.end(key)
    const next = this.#loaded.get(key)
    if (open !== undefined && next !== undefined) this.#lane.ready.push(next)
  }

  /** Its event is gone from the log. */
  lose(key: string, sequence: Sequence): void {
    this.#tried.delete(sequence)
    this.#keys.leave(key, sequence)
  }

  /** The open group has a new due time or new members: its row says so, and it waits again if it was in memory. */
  #rewrite(key: string, { sequence, dueAt, group }: Arrival): void {
    const lane = this.#lane
    const loaded = this.#loaded.get(key)
    if (loaded !== undefined) this.#unload(key, loaded)
    lane.ledger.putRow(
      { sequence, state: 'waiting', dueAt, key, done: [], attempt: 0, deaths: 0, attempts: [], group },
      'row',
    )
    lane.due.expect(dueAt)
  }

  #supersede(key: string, sequence: Sequence, by: Sequence): void {
    const loaded = this.#loaded.get(key)
    if (loaded?.sequence === sequence) this.#unload(key, loaded)
    this.#settle(sequence, by, loaded?.sequence === sequence ? loaded : undefined)
  }

  #unload(key: string, flight: Flight): void {
    this.#loaded.delete(key)
    flight.isWithdrawn = true
    this.#lane.inMemory -= 1
    this.#lane.due.forget(flight.sequence)
  }

  #settle(sequence: Sequence, by: Sequence, flight: Flight | undefined): void {
    const tried = this.#tried.get(sequence)
    this.#tried.delete(sequence)
    this.#lane.ledger.settle(sequence, 'superseded', 'row', {
      reason: supersededBy(by),
      attemptCount: flight?.attemptCount ?? tried?.attempt ?? 0,
      attempts: flight?.attempts ?? tried?.attempts,
    })
    this.#lane.due.forget(sequence)
    this.#lane.around.settler().touch(this.#lane)
  }
}

/** The reason that a superseded delivery is settled with; names the event that took its place. */
function supersededBy(sequence: Sequence): string {
  return `superseded by event ${sequence}`
}

/** The event with what it stands for. */
export function withGroup(event: Event, { count, firstAt, lastAt }: Group): Event {
  const facts = {
    coalesced_events: count,
    first_event_at: timeText(firstAt),
    last_event_at: timeText(lastAt),
  }
  return new Event({ ...event.record, meta: JSON.stringify({ ...event.meta, ...facts }) })
}
