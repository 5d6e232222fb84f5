import { Queue } from '../core/queue.ts'

/** A number of places; who finds none waits in line. */
export class Places {
  #free: number
  readonly #waiting = new Queue<() => void>()

  constructor(count: number) {
    this.#free = count
  }

  /** Resolves when a place is taken. */
  take(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free -= 1
      return undefined
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Gives the place to the next in line, or back. */
  give(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}
