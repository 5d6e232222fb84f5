import type { Sequence } from '../../core/event.ts'
import type { StageInput } from '../../plugin/stage.ts'

/** Waiting events that are remembered; of more, the oldest begins its wait anew. */
const most = 100_000

/** The events of one key that wait for their place. */
export interface Line {
  /** One waits for its place. */
  wait(place: number, sequence: Sequence): void
  /** True while the one that was called for a place still has time to come. */
  isCalled(place: number, now: number): boolean
  /** Calls the first in line whose place is `from` or later, and before another's. It is waited for until then. */
  call(from: number, before: number, until: number): number | undefined
}

/**
 * What a `reorder` knows of the events that wait, in memory: since when, and for which place. All of it is found again when
 * they look again, so nothing is lost with a process but time.
 */
export function createQueue() {
  const seen = new Map<Sequence, { readonly at: number; place?: number }>()
  const lines = new Map<string, Map<number, Sequence>>()
  const called = new Map<string, { readonly place: number; readonly until: number }>()
  const drop = (key: string, place: number): void => {
    const line = lines.get(key)
    line?.delete(place)
    if (line?.size === 0) lines.delete(key)
  }
  const lineOf = (key: string): Line => ({
    wait(place, sequence) {
      const known = seen.get(sequence)
      if (known !== undefined) known.place = place
      const line = lines.get(key) ?? new Map<number, Sequence>()
      lines.set(key, line.set(place, sequence))
    },
    isCalled(place, now) {
      const last = called.get(key)
      return last?.place === place && now < last.until
    },
    call(from, before, until) {
      let place = before
      for (const waiting of lines.get(key)?.keys() ?? []) if (waiting >= from && waiting < place) place = waiting
      called.delete(key)
      if (place === before) return undefined
      // Until it waits again it is not in line: nobody waits twice for what is gone.
      drop(key, place)
      called.set(key, { place, until })
      return place
    },
  })
  return {
    lineOf,
    /** Milliseconds between the time when an event was stored and when the stage first saw it. */
    lag({ event: { sequence, record }, now }: Pick<StageInput, 'event' | 'now'>): number {
      const known = seen.get(sequence) ?? { at: now }
      seen.set(sequence, known)
      if (seen.size > most) seen.delete(seen.keys().next().value!)
      return Math.max(0, known.at - record.appendedAt)
    },
    /** One that waited goes on, or has ended. */
    leave(key: string, sequence: Sequence): void {
      const place = seen.get(sequence)?.place
      seen.delete(sequence)
      if (place === undefined) return
      if (lines.get(key)?.get(place) === sequence) drop(key, place)
      if (called.get(key)?.place === place) called.delete(key)
    },
  }
}
