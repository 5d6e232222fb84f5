import type { Platform } from '../../core/platform.ts'

interface Waiter {
  readonly wake: () => void
}

/** Clients that wait for deliveries, first come, first served. */
export class Waiters {
  readonly #platform: Platform
  readonly #waiting = new Set<Waiter>()
  #isWaking = false

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /** Resolves when it is this one's turn, when the time is up or when the signal aborts. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(waiter)
        timer.cancel()
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const waiter: Waiter = { wake: done }
      const timer = this.#platform.after(ms, done)
      this.#waiting.add(waiter)
      signal?.addEventListener('abort', done)
      if (signal?.aborted === true) done()
    })
  }

  /** There is something for one of them; soon, so that what arrives together goes together. */
  wakeOne(): void {
    if (this.#isWaking || this.#waiting.size === 0) return
    this.#isWaking = true
    this.#platform.soon(() => {
      this.#isWaking = false
      const [first] = this.#waiting
      first?.wake()
    })
  }

  wakeAll(): void {
    for (const waiter of [...this.#waiting]) waiter.wake()
  }
}
