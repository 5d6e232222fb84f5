import type { Outcome } from '../core/outcome.ts'
import type { Clock } from '../core/platform.ts'
import type { Call } from './calls.ts'

/** What a step of a subscription has done since the start: `items = passed + failed + waits + discarded + rejected`. */
export interface StepStats {
  /** The stage's name; `sink` for the sink, which comes last. */
  readonly name: string
  /** Calls that ended, of a sink deliveries; one delivery may have had several. */
  readonly items: number
  /** It went on to the next step, or was delivered. */
  readonly passed: number
  /** It threw, timed out or answered `retry`: made again, unless it was the last attempt. */
  readonly failed: number
  /** It was only too early, and no attempt is counted. */
  readonly waits: number
  readonly discarded: number
  readonly rejected: number
  /** Time in all calls together. Of calls that answer at once, one in 16 is measured and stands for the others. */
  readonly seconds: number
  readonly perItemMs: number
  /** Deliveries in memory in front of it; for the first step also those that no place was free for yet. */
  readonly waiting: number
  /** Calls under way. */
  readonly running: number
}

/**
 * So many calls that answer at once are measured one by one, and from then on one in so many: reading the clock for each
 * would cost a pure stage more than all else that is counted.
 */
const measured = 16

/** Counts for one step. */
export class StepCounts {
  #passed = 0
  #failed = 0
  #waits = 0
  #discarded = 0
  #rejected = 0
  #ms = 0
  #atOnce = 0

  /** Deliveries that went through. */
  pass(deliveries = 1): void {
    this.#passed += deliveries
  }

  count({ outcome, isWait }: Outcome): void {
    if (outcome === 'ack') this.#passed += 1
    else if (outcome === 'discard') this.#discarded += 1
    else if (outcome === 'reject') this.#rejected += 1
    else if (isWait === true) this.#waits += 1
    else this.#failed += 1
  }

  /** A call has ended. */
  took(call: Call, clock: Clock): void {
    this.#ms += clock.monotonic() - call.beganAt
  }

  /** True when the next call is measured, should it answer at once. */
  get measuresNext(): boolean {
    return this.#atOnce < measured || this.#atOnce % measured === 0
  }

  /** A call has ended in the turn in which it began. */
  tookAtOnce(call: Call, clock: Clock): void {
    if (this.measuresNext) this.#ms += (clock.monotonic() - call.beganAt) * (this.#atOnce < measured ? 1 : measured)
    this.#atOnce += 1
  }

  stats(name: string, waiting: number, running: number): StepStats {
    const items = this.#passed + this.#failed + this.#waits + this.#discarded + this.#rejected
    return {
      name,
      items,
      passed: this.#passed,
      failed: this.#failed,
      waits: this.#waits,
      discarded: this.#discarded,
      rejected: this.#rejected,
      seconds: this.#ms / 1000,
      perItemMs: items === 0 ? 0 : this.#ms / items,
      waiting,
      running,
    }
  }
}
