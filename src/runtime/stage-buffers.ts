import type { Flight } from './flight.ts'
import { StageBuffer } from './stage-buffer.ts'

/** The buffers in front of a subscription's steps, by the index of the step. */
export class StageBuffers {
  readonly #buffers = new Map<number, StageBuffer>()

  /** One in front of a step, for `size` deliveries and `most` at the very most. */
  add(step: number, size: number, most: number): void {
    this.#buffers.set(step, new StageBuffer(size, most))
  }

  /** A delivery is through the stage before the step; `free` is called when that stage may go on. */
  enter(step: number | undefined, flight: Flight, free: () => void): void {
    const buffer = step === undefined ? undefined : this.#buffers.get(step)
    if (buffer === undefined) {
      free()
      return
    }
    flight.ahead = buffer
    buffer.enter(free)
  }

  /** A delivery begins the step it stands in front of, or has ended. */
  leave(flight: Flight): void {
    flight.ahead?.leave()
    flight.ahead = undefined
  }

  /** A commit brings deliveries; `standing` says what waits in front of a step and what runs there. */
  commit(standing: (step: number) => { readonly waiting: number; readonly running: number }): void {
    for (const [step, buffer] of this.#buffers) {
      const { waiting, running } = standing(step)
      buffer.commit(waiting === 0 && running === 0, waiting)
    }
  }
}
