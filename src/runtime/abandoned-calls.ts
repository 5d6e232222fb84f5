import type { Flight } from './flight.ts'

/** Deliveries of a key that a call goes on for. */
interface BusyKey {
  calls: number
  readonly waiting: Flight[]
}

/**
 * The calls of a lane that ignore their abort and go on when their attempts have ended. Each keeps its place, so that a
 * far side that is stuck has no more calls at a time than the configuration allows. It keeps its keys, too: where deliveries
 * of a key follow each other, none of them is begun while such a call could still do something for the key.
 */
export class AbandonedCalls {
  readonly #keys = new Map<string, BusyKey>()
  /** Calls that go on. */
  count = 0

  /** The attempts of a call end without it. */
  begin(flights: readonly Flight[]): void {
    this.count += 1
    for (const { key } of flights) {
      if (key === undefined) continue
      const busy = this.#keys.get(key)
      if (busy === undefined) this.#keys.set(key, { calls: 1, waiting: [] })
      else busy.calls += 1
    }
  }

  /** True when the delivery has to wait for such a call; then `end` gives it back. */
  holds(flight: Flight): boolean {
    if (this.count === 0 || flight.key === undefined) return false
    const busy = this.#keys.get(flight.key)
    busy?.waiting.push(flight)
    return busy !== undefined
  }

  /** True when such a call has the key. */
  has(key: string | undefined): boolean {
    return key !== undefined && this.#keys.has(key)
  }

  /** A call has ended at last: what waited for it may go on. */
  end(flights: readonly Flight[]): readonly Flight[] {
    this.count -= 1
    const free: Flight[] = []
    for (const { key } of flights) {
      const busy = key === undefined ? undefined : this.#keys.get(key)
      if (busy === undefined) continue
      busy.calls -= 1
      if (busy.calls > 0) continue
      this.#keys.delete(key!)
      free.push(...busy.waiting)
    }
    return free
  }
}
