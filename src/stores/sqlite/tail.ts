import { Event, type Sequence } from '../../core/event.ts'
import { type Field, fieldsPerEvent, unpackRecord } from './record.ts'

/**
 * A power of two: a sequence's place is its low bits. Four times as many measured no faster and held 80 MiB more: what is
 * kept long enough to grow old is collected late.
 */
const mostEvents = 16_384
const mostBytes = 32 * 1024 * 1024

/**
 * What was just appended, so that a subscription that keeps up reads no disk. Bounded by count and size; holds a contiguous
 * range that ends at the head. Event objects are made when somebody first reads them and are shared from then on.
 */
export interface Tail {
  /** Takes the event at an offset of what was written; sequences follow one another. */
  add(sequence: Sequence, appendedAt: number, fields: readonly Field[], at: number, size: number): void
  /** The event, if it is still here. */
  get(sequence: Sequence): Event | undefined
  /** The lowest sequence here; one more than the highest when empty. */
  first(): Sequence
}

interface Entry {
  readonly appendedAt: number
  readonly fields: readonly Field[]
  readonly at: number
}

export function createTail(head: Sequence): Tail {
  const entries: (Entry | Event | undefined)[] = new Array(mostEvents).fill(undefined)
  const sizes = new Int32Array(mostEvents)
  let first = head + 1
  let next = head + 1
  let bytes = 0

  return {
    add(sequence, appendedAt, fields, at, size) {
      if (sequence !== next) {
        // Something between was committed although its commit failed: the log has it, the tail begins anew after it.
        entries.fill(undefined)
        first = sequence
        next = sequence
        bytes = 0
      }
      while (next > first && (next - first >= mostEvents || bytes + size > mostBytes)) {
        const oldest = first % mostEvents
        bytes -= sizes[oldest] as number
        entries[oldest] = undefined
        first++
      }
      const place = sequence % mostEvents
      entries[place] = { appendedAt, fields, at }
      sizes[place] = size
      bytes += size
      next = sequence + 1
    },
    get(sequence) {
      if (sequence < first || sequence >= next) return undefined
      const place = sequence % mostEvents
      const entry = entries[place]
      if (entry === undefined || entry instanceof Event) return entry
      const event = new Event(unpackRecord(entry.fields, entry.at, sequence, entry.appendedAt))
      entries[place] = event
      return event
    },
    first: () => first,
  }
}

/** Events from a reader's flat values. */
export function decodeEvents(values: readonly unknown[]): Event[] {
  const width = fieldsPerEvent + 2
  const events: Event[] = new Array(values.length / width)
  for (let row = 0; row < events.length; row++) {
    const at = row * width
    events[row] = new Event(unpackRecord(values, at + 2, values[at] as Sequence, values[at + 1] as number))
  }
  return events
}
