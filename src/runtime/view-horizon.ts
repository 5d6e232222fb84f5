import type { Sequence } from '../core/event.ts'
import type { Platform, Timer } from '../core/platform.ts'

/**
 * How far the clients of a view are shown the log. Without a window, to its end. With one in steps: when the log grows
 * beyond what is shown, the rest of the window passes, and then everything up to its end is shown together.
 */
export class Horizon {
  readonly #head: () => Sequence
  readonly #platform: Platform
  readonly #windowMs: number | undefined
  readonly #onStep: () => void
  #shown: Sequence = 0
  #timer: Timer | undefined

  constructor(head: () => Sequence, platform: Platform, windowMs: number | undefined, onStep: () => void) {
    this.#head = head
    this.#platform = platform
    this.#windowMs = windowMs
    this.#onStep = onStep
  }

  get position(): Sequence {
    return this.#windowMs === undefined ? this.#head() : this.#shown
  }

  /** The first client comes: nobody waits for what is there. */
  begin(): void {
    this.#shown = this.#head()
  }

  /** The log may have grown. */
  grow(): void {
    if (this.#windowMs === undefined || this.#timer !== undefined || this.#head() <= this.#shown) return
    this.#timer = this.#platform.after(this.#windowMs, () => {
      this.#timer = undefined
      this.#shown = this.#head()
      this.#onStep()
    })
  }

  /** Nobody is there any more. */
  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
