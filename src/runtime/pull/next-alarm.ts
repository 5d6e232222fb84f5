import type { Platform, Timer } from '../../core/platform.ts'

/** One timer for whatever is next by wall time. */
export class NextAlarm {
  readonly #platform: Platform
  readonly #ring: () => void
  #timer: Timer | undefined
  #at = Number.POSITIVE_INFINITY

  constructor(platform: Platform, ring: () => void) {
    this.#platform = platform
    this.#ring = ring
  }

  /** Rings at this time, unless it rings before anyway; then it has to be set again. */
  set(at: number | undefined): void {
    if (at === undefined || at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    this.#timer = this.#platform.after(Math.max(0, at - this.#platform.clock.now()), () => {
      this.#at = Number.POSITIVE_INFINITY
      this.#ring()
    })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#at = Number.POSITIVE_INFINITY
  }
}
