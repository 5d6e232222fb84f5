import type { Lane } from './lane.ts'
import type { EngineSetup } from './setup.ts'

/** As many as were asked for; else enough that an idle pipeline gives every subscription its whole concurrency. */
export function placesFor({ attempts, subscriptions }: Pick<EngineSetup, 'attempts' | 'subscriptions'>): number {
  const widest = subscriptions.reduce((most, { policy }) => Math.max(most, policy.concurrency), 0)
  return attempts ?? Math.max(1024, (placesShare + 1) * widest)
}

/** A lane may hold this part of the free places, and always one when there is a free one. */
const placesShare = 8

/**
 * Places for attempts under way, shared by all lanes: no lane holds more than its share of the free ones, so that those
 * whose far side is slow leave room for the others (dynamic thresholds of a shared buffer; Choudhury and Hahne, 1998).
 * Lanes that were refused are called in turn when places are given back.
 */
export class AttemptPlaces {
  #free: number
  readonly #waiting = new Set<Lane>()

  constructor(count: number) {
    this.#free = count
  }

  /** True when the lane may begin one more; else it is pumped when there may be room for it. */
  admits(lane: Lane): boolean {
    if (this.#free > 0 && (lane.active === 0 || lane.active < this.#free / placesShare)) return true
    this.#waiting.add(lane)
    return false
  }

  take(): void {
    this.#free -= 1
  }

  give(): void {
    this.#free += 1
  }

  /** Lanes that were refused try again, while there are places. */
  callWaiting(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting].slice(0, Math.max(0, this.#free))
    for (const lane of waiting) this.#waiting.delete(lane)
    for (const lane of waiting) lane.pump()
  }
}
