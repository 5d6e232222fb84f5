import { isSameContent } from '../../core/content.ts'
import { Event, type EventRecord, type Sequence } from '../../core/event.ts'
import { compilePatterns } from '../../core/match.ts'
import type { AppendResult, EventPage, EventQuery, StreamEvent, StreamPage } from '../../plugin/store.ts'
import { MemoryStream } from './stream.ts'

/** What is remembered of an event for deduplication; it outlives the event. */
interface Known {
  readonly sequence: Sequence
  readonly appendedAt: number
}

/** What an append would do, decided before anything changes. */
export interface AppendPlan {
  readonly results: readonly AppendResult[]
  readonly stored: readonly { readonly event: Event; readonly key: string; readonly stream: string | undefined }[]
}

/** At most this many events are looked at for one page, so that a search for nothing cannot hold the process. */
const scannedPerPage = 10_000

// The length in front keeps ('a', 'bc') and ('ab', 'c') apart.
const keyOf = (source: string, id: string): string => `${source.length}:${source}${id}`

/** The events of a memory store: contiguous by sequence, so that a place is an index. */
export class MemoryLog {
  /** The newest sequence; 0 when there was never an event. */
  head: Sequence = 0
  #events: Event[] = []
  readonly #known = new Map<string, Known>()
  readonly #streams = new Map<string, MemoryStream>()

  get oldest(): Sequence {
    return this.head - this.#events.length + 1
  }

  get count(): number {
    return this.#events.length
  }

  version(stream: string): number {
    return this.#streams.get(stream)?.version ?? 0
  }

  find(source: string, id: string): Sequence | undefined {
    return this.#known.get(keyOf(source, id))?.sequence
  }

  at(sequence: Sequence): Event | undefined {
    return this.#events[sequence - this.oldest]
  }

  /** Decides what each record becomes. Nothing is changed yet. */
  plan(records: readonly EventRecord[], streams: readonly (string | undefined)[], appendedAt: number): AppendPlan {
    const stored: { event: Event; key: string; stream: string | undefined }[] = []
    const fresh = new Map<string, EventRecord & Known>()
    const results = records.map((record, index): AppendResult => {
      const key = keyOf(record.source, record.id)
      const first = fresh.get(key) ?? this.#known.get(key)
      if (first !== undefined) {
        // Where the event is pruned its content is gone; the id alone then says it was here.
        const there = fresh.get(key) ?? this.at(first.sequence)?.record
        const isSame = there === undefined || isSameContent(there, record)
        return { status: isSame ? 'duplicate' : 'conflict', sequence: first.sequence }
      }
      const sequence = this.head + stored.length + 1
      const kept = { ...record, ...copyOfBytes(record.data), sequence, appendedAt }
      fresh.set(key, kept)
      stored.push({ event: new Event(kept), key, stream: streams[index] })
      return { status: 'stored', sequence }
    })
    return { results, stored }
  }

  apply(plan: AppendPlan): void {
    for (const { event, key, stream } of plan.stored) {
      this.#events.push(event)
      this.#known.set(key, { sequence: event.sequence, appendedAt: event.record.appendedAt })
      if (stream !== undefined) {
        const known = this.#streams.get(stream) ?? new MemoryStream()
        known.add(event.sequence)
        this.#streams.set(stream, known)
      }
    }
    this.head += plan.stored.length
  }

  read(after: Sequence, limit: number): Event[] {
    const from = Math.max(0, after - this.oldest + 1)
    return this.#events.slice(from, from + limit)
  }

  readMany(sequences: readonly Sequence[]): Event[] {
    return [...new Set(sequences)]
      .sort((a, b) => a - b)
      .map((sequence) => this.at(sequence))
      .filter((event) => event !== undefined)
  }

  readStream(stream: string, afterVersion: number, limit: number): StreamPage {
    const known = this.#streams.get(stream)
    const events: StreamEvent[] = []
    for (const [version, sequence] of known?.after(afterVersion) ?? []) {
      const event = this.at(sequence)
      if (event !== undefined) events.push({ version, event })
      if (events.length >= limit) break
    }
    return { version: known?.version ?? 0, events }
  }

  versionAt(stream: string, sequence: Sequence): number | undefined {
    const known = this.#streams.get(stream)
    return known === undefined ? 0 : known.versionAt(sequence)
  }

  sequenceAt(timeMs: number): Sequence {
    // Not a binary search: the wall clock may have jumped back between two events.
    return this.#events.find((event) => event.record.appendedAt >= timeMs)?.sequence ?? this.head + 1
  }

  query(query: EventQuery): EventPage {
    const limit = Math.min(Math.max(query.limit, 1), 1000)
    const isWanted = wanted(query)
    const step = query.before === undefined ? 1 : -1
    const lowest = Math.max(this.oldest, (query.after ?? 0) + 1)
    const highest = Math.min(this.head, (query.before ?? Number.POSITIVE_INFINITY) - 1)
    const events: Event[] = []
    let sequence = step === 1 ? lowest : highest
    for (let scanned = 0; sequence >= lowest && sequence <= highest; sequence += step, scanned++) {
      if (scanned >= scannedPerPage || events.length >= limit) return { events, next: sequence - step }
      const event = this.at(sequence)
      if (event !== undefined && isWanted(event)) events.push(event)
    }
    return { events }
  }

  /** Removes events at or below a sequence; answers how many. */
  pruneEvents(upTo: Sequence): number {
    const count = Math.min(Math.max(0, upTo - this.oldest + 1), this.#events.length)
    if (count === 0) return 0
    this.#events = this.#events.slice(count)
    for (const stream of this.#streams.values()) stream.prune(this.oldest - 1)
    return count
  }

  /** Forgets (source, id) of events appended before a time; answers how many. */
  pruneKnown(beforeMs: number): number {
    let count = 0
    for (const [key, known] of this.#known) {
      if (known.appendedAt < beforeMs && this.#known.delete(key)) count++
    }
    return count
  }

  /** What is wrong: an event that is not at its place. */
  verify(): string[] {
    const first = this.oldest
    return this.#events.flatMap((event, index) =>
      event.sequence === first + index ? [] : [`sequence ${event.sequence} stands where ${first + index} belongs`],
    )
  }
}

// The caller may use its buffer again; what is stored never changes.
const copyOfBytes = (data: EventRecord['data']): Pick<EventRecord, 'data'> | undefined =>
  data instanceof Uint8Array ? { data: data.slice() } : undefined

function wanted(query: EventQuery): (event: Event) => boolean {
  const matches = query.type === undefined ? undefined : compilePatterns(query.type)
  const { source, subject, id, sinceMs, untilMs } = query
  return (event) =>
    (matches === undefined || matches(event.type)) &&
    (source === undefined || event.source === source) &&
    (subject === undefined || event.subject === subject) &&
    (id === undefined || event.id === id) &&
    (sinceMs === undefined || event.record.appendedAt >= sinceMs) &&
    (untilMs === undefined || event.record.appendedAt < untilMs)
}
