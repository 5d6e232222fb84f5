/** When a far side counts as down, and how it is tried again. */
export interface BreakerPolicy {
  /** Failed attempts in a row that open the breaker. */
  readonly failures: number
  /** How long nothing is attempted then. */
  readonly openMs: number
  /** Without any success for this long, the subscription is disabled; undefined: never. */
  readonly disableAfterMs: number | undefined
}

export type BreakerState = 'closed' | 'open' | 'half-open'
/** What an attempt's end changed, if anything. */
export type BreakerChange = 'opened' | 'closed' | 'disable' | undefined

/**
 * A circuit breaker. It is
 *
 * - closed: attempts run; after an outage their number doubles with each success, from one to the full concurrency.
 * - open: nothing runs until `openMs` have passed.
 * - half-open: one attempt at a time; a success closes the breaker, a failure opens it again.
 *
 * How long it stays open is told by a clock that only goes forward (`timeMs`): nobody who sets the wall clock keeps it open.
 * `failingSince` is wall milliseconds, because it is stored and survives a restart.
 */
export class Breaker {
  readonly #policy: BreakerPolicy
  readonly #concurrency: number
  #failures = 0
  #openUntil: number | undefined
  #ramp: number
  /** Since when no attempt has succeeded; undefined while the last one did. */
  failingSince: number | undefined

  constructor(policy: BreakerPolicy, concurrency: number, failingSince?: number) {
    this.#policy = policy
    this.#concurrency = concurrency
    this.#ramp = concurrency
    this.failingSince = failingSince
  }

  get failures(): number {
    return this.#failures
  }

  /** Told without looking at a clock. */
  get isClosed(): boolean {
    return this.#openUntil === undefined
  }

  state(timeMs: number): BreakerState {
    if (this.#openUntil === undefined) return 'closed'
    return this.waitMs(timeMs) > 0 ? 'open' : 'half-open'
  }

  /** How many attempts may run at once. */
  limit(timeMs: number): number {
    if (this.#openUntil === undefined) return this.#ramp
    return this.waitMs(timeMs) > 0 ? 0 : 1
  }

  /** Milliseconds until it is half-open; 0 when it is not open. A clock that was set back never makes the wait longer. */
  waitMs(timeMs: number): number {
    return this.#openUntil === undefined ? 0 : Math.min(this.#policy.openMs, Math.max(0, this.#openUntil - timeMs))
  }

  succeed(): BreakerChange {
    this.#failures = 0
    this.failingSince = undefined
    if (this.#openUntil !== undefined) {
      this.#openUntil = undefined
      this.#ramp = 1
      return 'closed'
    }
    if (this.#ramp < this.#concurrency) this.#ramp = Math.min(this.#concurrency, this.#ramp * 2)
    return undefined
  }

  fail(nowMs: number, timeMs = nowMs): BreakerChange {
    this.#failures += 1
    this.failingSince ??= nowMs
    const { failures, openMs, disableAfterMs } = this.#policy
    if (disableAfterMs !== undefined && nowMs - this.failingSince >= disableAfterMs) return 'disable'
    // Attempts that were under way when it opened say nothing new.
    if (this.state(timeMs) === 'open' || this.#failures < failures) return undefined
    this.#openUntil = timeMs + openMs
    return 'opened'
  }

  /** Starts afresh: somebody resumed the subscription by hand. */
  reset(): void {
    this.#failures = 0
    this.#openUntil = undefined
    this.#ramp = this.#concurrency
    this.failingSince = undefined
  }
}
