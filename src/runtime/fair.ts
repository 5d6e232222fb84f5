import { messageOf } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import type { HeldRow } from '../core/ledger-state.ts'
import type { FairBy } from '../core/plan.ts'
import { Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { buryUnreadable, readEvents } from './unreadable.ts'

/** A group may have this part of the window in memory; what it has beyond waits in rows. */
const shares = 16
/** Sequences in one row: written again as a whole whenever one of them leaves. */
const perRow = 500

/** Sequences of one group in one row, ascending. */
interface Chunk {
  readonly key: string
  sequences: Sequence[]
  /** The first so many are in memory. */
  loaded: number
}

interface Group {
  readonly name: string
  inMemory: number
  readonly chunks: Chunk[]
  isLoading: boolean
}

/**
 * Shares a lane's window between groups of its events (subjects, tenants), so that one with very many does not keep the
 * others from being examined: what is beyond its share waits in rows of coded sequences and comes in as room comes.
 */
export class FairShares {
  readonly #lane: Lane
  readonly #fairBy: FairBy
  readonly #share: number
  readonly #groups = new Map<string, Group>()
  #lastChunk = 0

  constructor(lane: Lane, fairBy: FairBy) {
    this.#lane = lane
    this.#fairBy = fairBy
    this.#share = Math.max(1, Math.floor(lane.policy.window / shares))
  }

  /** A matching event, already in the ledger: true when it may come into memory, false when it waits in a row. */
  arrive(flight: Flight): boolean {
    const group = this.#group(this.#fairBy.groupOf(flight.event))
    if (group.chunks.length === 0 && group.inMemory < this.#share) {
      group.inMemory += 1
      flight.fairGroup = group.name
      return true
    }
    let chunk = group.chunks.at(-1)
    if (chunk === undefined || chunk.sequences.length >= perRow) {
      chunk = { key: this.#newKey(group.name), sequences: [], loaded: 0 }
      group.chunks.push(chunk)
    }
    chunk.sequences.push(flight.sequence)
    this.#lane.ledger.hold(chunk.key, chunk.sequences, [flight.sequence])
    this.#load(group)
    return false
  }

  /** The delivery is no longer in memory: the next of its group may come. */
  left(flight: Flight): void {
    if (flight.fairGroup === undefined) return
    const group = this.#groups.get(flight.fairGroup)
    flight.fairGroup = undefined
    if (group === undefined) return
    group.inMemory -= 1
    this.#load(group)
    if (group.inMemory === 0 && group.chunks.length === 0) this.#groups.delete(group.name)
  }

  /** A delivery that waited in a row of its group was settled, or has a row of its own now. */
  leaveHeld(flight: Flight): void {
    const group = this.#groups.get(flight.fairGroup ?? this.#fairBy.groupOf(flight.event))
    const chunk = group?.chunks.find(({ sequences }) => sequences.includes(flight.sequence))
    if (chunk !== undefined) this.#drop(group!, chunk, flight.sequence)
  }

  /** At start: the rows of every group. */
  restore(rows: readonly HeldRow[]): void {
    for (const { key, sequences } of rows) {
      const [number = '', ...rest] = key.split(' ')
      const group = this.#group(rest.join(' '))
      group.chunks.push({ key, sequences: [...sequences], loaded: 0 })
      this.#lastChunk = Math.max(this.#lastChunk, Number(number) || 0)
      this.#lane.ledger.heldCount += sequences.length
    }
    for (const group of this.#groups.values()) {
      group.chunks.sort((a, b) => a.sequences[0]! - b.sequences[0]!)
      this.#load(group)
    }
  }

  #newKey(name: string): string {
    this.#lastChunk += 1
    return `${this.#lastChunk} ${name}`
  }

  #group(name: string): Group {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = { name, inMemory: 0, chunks: [], isLoading: false }
      this.#groups.set(name, group)
    }
    return group
  }

  #drop(group: Group, chunk: Chunk, sequence: Sequence): void {
    const at = chunk.sequences.indexOf(sequence)
    if (at < chunk.loaded) chunk.loaded -= 1
    chunk.sequences.splice(at, 1)
    this.#lane.ledger.rewriteHeld(chunk.key, chunk.sequences)
    if (chunk.sequences.length === 0) group.chunks.splice(group.chunks.indexOf(chunk), 1)
  }

  /** Brings in as many as the share has room for, once half of it is free. */
  #load(group: Group): void {
    const lane = this.#lane
    if (group.isLoading || lane.isStopping || group.inMemory > this.#share / 2) return
    const wanted: Sequence[] = []
    for (const chunk of group.chunks) {
      const room = this.#share - group.inMemory - wanted.length
      const next = chunk.sequences.slice(chunk.loaded, chunk.loaded + room)
      chunk.loaded += next.length
      wanted.push(...next)
    }
    if (wanted.length === 0) return
    group.isLoading = true
    group.inMemory += wanted.length
    this.#bringIn(group, wanted).then(
      () => {
        group.isLoading = false
        this.#load(group)
        lane.pump()
      },
      (error: unknown) => {
        if (lane.isStopping) return
        lane.around.log.error(`reading waiting events of ${lane.name} failed; it is tried again`, {
          error: messageOf(error),
        })
        lane.around.platform.after(1000, () => {
          for (const chunk of group.chunks) chunk.loaded -= chunk.sequences.filter((one) => wanted.includes(one)).length
          group.inMemory -= wanted.length
          group.isLoading = false
          this.#load(group)
        })
      },
    )
  }

  async #bringIn(group: Group, sequences: readonly Sequence[]): Promise<void> {
    const lane = this.#lane
    const { events, damaged } = await readEvents(lane.around.store, sequences)
    for (const sequence of sequences) {
      const event = events.get(sequence)
      if (event === undefined) {
        this.#giveUp(group, sequence, damaged.get(sequence))
        continue
      }
      const flight = new Flight(event, undefined, 'held')
      flight.fairGroup = group.name
      lane.due.track(flight)
      lane.inMemory += 1
      lane.ready.push(flight)
    }
  }

  /** Its event is damaged, or was removed. */
  #giveUp(group: Group, sequence: Sequence, damage: string | undefined): void {
    const lane = this.#lane
    const chunk = group.chunks.find((one) => one.sequences.includes(sequence))
    if (chunk !== undefined) this.#drop(group, chunk, sequence)
    group.inMemory -= 1
    if (damage !== undefined) buryUnreadable(lane, sequence, 'held', damage, {})
    else {
      const reason = 'removed by forced retention'
      lane.ledger.settle(sequence, 'lost', 'held', { reason, attemptCount: 0 })
      lane.around.settler().touch(lane)
    }
  }
}
