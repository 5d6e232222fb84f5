/**
 * A token bucket: at most `perSecond` on average, with bursts of at most `burst`. Times are monotonic milliseconds.
 * It keeps the moment at which the bucket would be full again, so that nothing has to tick (GCRA, ITU-T I.371).
 */
export class Pace {
  readonly #intervalMs: number
  readonly #slackMs: number
  #fullAt = Number.NEGATIVE_INFINITY

  constructor(perSecond: number, burst: number) {
    this.#intervalMs = 1000 / perSecond
    this.#slackMs = this.#intervalMs * (burst - 1)
  }

  /** Milliseconds until one more may go; 0 when it may go now. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#fullAt - this.#slackMs - nowMs)
  }

  /** One goes now; `waitMs` was 0. */
  take(nowMs: number): void {
    this.#fullAt = Math.max(this.#fullAt, nowMs) + this.#intervalMs
  }
}
