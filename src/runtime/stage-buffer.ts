import { Queue } from '../core/queue.ts'

/**
 * What stands between a stage whose results are committed and the step after it. Deliveries come in when they are through
 * the one and leave when they begin the other. When more are between than may be, the one they come from is held back:
 * its place is freed only when there is room again.
 *
 * As many may be between as the buffer says. But what is between may be waiting for its commit, which takes longer than a
 * fast step: when a commit brings deliveries to a step that has nothing left to do, while others were held back, the
 * number doubles. As soon as the step does not keep up, it is the buffer's again.
 */
export class StageBuffer {
  readonly #size: number
  readonly #most: number
  readonly #heldBack = new Queue<() => void>()
  #allowed: number
  #between = 0
  #wasFull = false
  #begunSince = 0

  /** `size` of the buffer, and how many may be between at the very most. */
  constructor(size: number, most: number) {
    this.#size = size
    this.#most = Math.max(size, most)
    this.#allowed = size
  }

  /** A delivery is through the stage before; `free` is called when that stage may go on. */
  enter(free: () => void): void {
    this.#between += 1
    this.#heldBack.push(free)
    this.#makeRoom()
    if (this.#heldBack.size > 0) this.#wasFull = true
  }

  /** A commit brings deliveries: `isIdle` when the step has nothing to do, `waiting` in front of it already. */
  commit(isIdle: boolean, waiting: number): void {
    if (isIdle && this.#wasFull && this.#begunSince > 0) this.#allowed = Math.min(this.#most, this.#allowed * 2)
    else if (waiting > this.#size) this.#allowed = this.#size
    this.#begunSince = 0
    this.#wasFull = this.#heldBack.size > 0
    this.#makeRoom()
  }

  /** A delivery begins the step after, or ended before it got there. */
  leave(): void {
    this.#between -= 1
    this.#begunSince += 1
    this.#makeRoom()
  }

  #makeRoom(): void {
    while (this.#heldBack.size > 0 && this.#between - this.#heldBack.size < this.#allowed) this.#heldBack.shift()!()
  }
}
