import { Breaker, type BreakerChange } from '../core/breaker.ts'
import { formatDuration } from '../core/duration.ts'
import type { Outcome } from '../core/outcome.ts'
import { Pace } from '../core/pace.ts'
import type { Timer } from '../core/platform.ts'
import type { Lane } from './lane.ts'
import { systemEvent } from './system-events.ts'

/** A burst may be as large as what the rate allows in this time. */
const burstSeconds = 0.1

/** Decides whether a lane may begin another attempt: circuit breaker, rate, and waiting for a batch to fill. */
export class Gate {
  readonly #lane: Lane
  readonly #breaker: Breaker | undefined
  readonly #pace: Pace | undefined
  #batchSince: number | undefined
  #timer: Timer | undefined

  constructor(lane: Lane) {
    this.#lane = lane
    const { breaker, rate, concurrency } = lane.policy
    this.#breaker = breaker && new Breaker(breaker, concurrency, lane.ledger.failingSince)
    this.#pace = rate && new Pace(rate.perSecond, Math.max(1, Math.floor(rate.perSecond * burstSeconds)))
  }

  /** Nothing is examined or brought back while the far side is down; half-open, only what one trial needs. */
  get isShut(): boolean {
    if (this.#breaker === undefined || this.#breaker.isClosed) return false
    const state = this.#breaker.state(this.#monotonic)
    return state === 'open' || (state === 'half-open' && this.#isTrying)
  }

  /** For what comes out of the stages: how long the far side is left alone. */
  get shutMs(): number {
    return this.#breaker === undefined || this.#breaker.isClosed ? 0 : this.#breaker.waitMs(this.#monotonic)
  }

  /** How many attempts may be under way. */
  get limit(): number {
    const { concurrency } = this.#lane.policy
    if (this.#breaker === undefined) return concurrency
    // This is asked for every delivery: a breaker that is closed needs no clock.
    const limit = this.#breaker.limit(this.#breaker.isClosed ? 0 : this.#monotonic)
    // A call that ignores its abort says nothing any more: the trial of a breaker does not wait for it.
    return Math.min(concurrency, limit + this.#lane.abandoned.count)
  }

  /** It goes on by itself at some moment. */
  get isWaiting(): boolean {
    return this.#timer !== undefined
  }

  get breaker() {
    const breaker = this.#breaker
    if (breaker === undefined) return undefined
    const state = breaker.state(this.#monotonic)
    return {
      state,
      failures: breaker.failures,
      openUntil: state === 'open' ? this.#now + breaker.waitMs(this.#monotonic) : undefined,
      failingSince: breaker.failingSince,
    }
  }

  /** True when another attempt may begin now; else the lane is pumped again when it may. */
  admits(): boolean {
    const lane = this.#lane
    if (lane.active >= this.limit) {
      if (this.#breaker !== undefined && lane.active === lane.abandoned.count)
        this.#wakeIn(this.#breaker.waitMs(this.#monotonic))
      return false
    }
    if (!lane.around.places.admits(lane)) return false
    const waitMs = Math.max(this.#pace?.waitMs(this.#monotonic) ?? 0, this.#batchWaitMs())
    if (waitMs > 0) this.#wakeIn(waitMs)
    return waitMs === 0
  }

  /** Deliveries go out. */
  begin(count: number): void {
    this.#batchSince = undefined
    for (let i = 0; i < count; i++) this.#pace?.take(this.#monotonic)
  }

  /** A call of the sink ended: what it says of the far side. */
  end(outcomes: readonly Outcome[] | undefined, hasThrown: boolean): void {
    const breaker = this.#breaker
    if (breaker === undefined || this.#lane.isStopping) return
    const hasFailed = hasThrown || outcomes?.every(({ outcome }) => outcome === 'retry') === true
    if (!hasFailed && breaker.isClosed && breaker.failingSince === undefined) {
      breaker.succeed()
      return
    }
    const wasFailing = breaker.failingSince !== undefined
    const wasOpen = !breaker.isClosed
    const change = hasFailed ? breaker.fail(this.#now, this.#monotonic) : breaker.succeed()
    const { ledger } = this.#lane
    ledger.failingSince = breaker.failingSince
    if (wasFailing !== (breaker.failingSince !== undefined)) this.#lane.touch()
    this.#tell(change, wasOpen, outcomes?.[0]?.reason)
  }

  /** Resumed by hand. */
  reset(): void {
    this.#breaker?.reset()
    this.#lane.ledger.failingSince = undefined
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** There is something that may still tell whether the far side is there. */
  get #isTrying(): boolean {
    const { active, abandoned, ready, attempts } = this.#lane
    return active > abandoned.count || ready.size > 0 || attempts.inside > 0
  }

  get #now(): number {
    return this.#lane.around.platform.clock.now()
  }

  get #monotonic(): number {
    return this.#lane.around.platform.clock.monotonic()
  }

  #batchWaitMs(): number {
    const { batch, batchWaitMs } = this.#lane.setup
    if (batchWaitMs === undefined || this.#lane.ready.size >= batch) return 0
    this.#batchSince ??= this.#monotonic
    return Math.max(0, this.#batchSince + batchWaitMs - this.#monotonic)
  }

  #wakeIn(delayMs: number): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#lane.around.platform.after(delayMs, () => {
      this.#timer = undefined
      // A timer may come a moment before the clock says so, or have been for something else: then nothing else would come.
      const shutMs = this.shutMs
      if (shutMs > 0) this.#wakeIn(shutMs)
      else this.#lane.nudge()
    })
  }

  #tell(change: BreakerChange, wasOpen: boolean, reason: string | undefined): void {
    const lane = this.#lane
    if (change === undefined) return
    if (change === 'disable') {
      lane.ends.stopWith('disabled', `no attempt has succeeded for ${roughly(this.#failingForMs())}`)
      return
    }
    if (change === 'opened') this.#wakeIn(this.#breaker!.waitMs(this.#monotonic))
    else lane.around.onRoom(lane)
    if (change === 'opened' && wasOpen) return
    lane.around.log.warn(`the circuit breaker of ${lane.name} is ${change === 'opened' ? 'open' : 'closed'}`, {
      reason,
    })
    const data = { state: change === 'opened' ? 'open' : 'closed', failures: this.#breaker!.failures, reason }
    lane.around.settler().derive([systemEvent('millrace.breaker', lane.name, lane.around.platform, data)])
  }

  #failingForMs(): number {
    return this.#now - (this.#breaker!.failingSince ?? this.#now)
  }
}

/** A time in its two largest units at most, for people. */
function roughly(ms: number): string {
  return formatDuration(Math.round(ms / 1000) * 1000)
    .split(' ')
    .slice(0, 2)
    .join(' ')
}
