import { Chain, type ChainMember } from '../core/chain.ts'
import type { Platform, Timer } from '../core/platform.ts'

/** One call into a stage or sink, with a signal that is made only when somebody looks at it. */
export class Call implements ChainMember<Call> {
  /** As the monotonic clock says; NaN for one that is not timed while it may still answer at once. */
  beganAt: number
  /** When it was aborted at its timeout, by that clock; undefined: it was not. */
  timedOutAt: number | undefined
  /** It ignored its abort: its attempt has ended, and what it still answers counts for nothing. */
  isAbandoned = false
  /** It waits for something of the engine, before or after the code it calls: its time does not run. */
  isHeldUp = false
  before: Call | undefined
  after: Call | undefined
  isChained = false
  #controller: AbortController | undefined
  #reason: Error | undefined
  #listener: (() => void) | undefined
  /** Ends the attempt without it. */
  onAbandon: (() => void) | undefined

  constructor(beganAt: number) {
    this.beganAt = beganAt
  }

  get hasTimedOut(): boolean {
    return this.timedOutAt !== undefined
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  /** Calls the listener once the call is aborted; one at a time. */
  onAbort(listener: () => void): void {
    if (this.#reason === undefined) this.#listener = listener
    else listener()
  }

  abort(reason: Error): void {
    this.#reason = reason
    this.#controller?.abort(reason)
    this.#listener?.()
  }
}

/**
 * How long a call may take to end after its abort: one that passes its signal on ends at once, and what it still answers
 * says more than a timeout.
 */
const defaultGraceMs = 1000

/**
 * The calls under way with one common timeout: they end their time in the order they began, so one timer serves all. At its
 * timeout a call is aborted; one that has not ended `graceMs` later is abandoned: its attempt ends without it.
 */
export class Calls {
  readonly #platform: Platform
  readonly #timeoutMs: number
  readonly #graceMs: number
  readonly #open = new Chain<Call>()
  readonly #abandoned = new Set<Call>()
  #timer: Timer | undefined

  constructor(platform: Platform, timeoutMs: number, graceMs = defaultGraceMs) {
    this.#platform = platform
    this.#timeoutMs = timeoutMs
    this.#graceMs = graceMs
  }

  get size(): number {
    return this.#open.size + this.#abandoned.size
  }

  /** Calls that ignore their abort. */
  get overdue(): number {
    let count = this.#abandoned.size
    for (const call of this.#open) if (call.hasTimedOut) count += 1
    return count
  }

  /** Reading the clock costs more than some calls that answer at once: those need not be timed. */
  begin(isTimed = true): Call {
    return new Call(isTimed ? this.#platform.clock.monotonic() : Number.NaN)
  }

  /** The call did not end at once: watch its time. `onAbandon` is called when it does not heed its abort either. */
  watch(call: Call, onAbandon?: () => void): void {
    call.onAbandon = onAbandon
    if (Number.isNaN(call.beganAt)) call.beganAt = this.#platform.clock.monotonic()
    this.#open.add(call)
    if (this.#timer === undefined) this.#arm()
  }

  /** The call has what it waited for: its time begins. */
  goOn(call: Call): void {
    call.isHeldUp = false
    call.beganAt = this.#platform.clock.monotonic()
    // Behind those that began before.
    if (!this.#open.delete(call)) return
    this.#open.add(call)
    if (this.#timer === undefined) this.#arm()
  }

  end(call: Call): void {
    if (!this.#open.delete(call)) this.#abandoned.delete(call)
    if (this.#open.size === 0) {
      this.#timer?.cancel()
      this.#timer = undefined
    }
  }

  abortAll(reason: Error): void {
    for (const call of this.#open) call.abort(reason)
  }

  /** For the next moment at which one of them is aborted or abandoned. */
  #arm(): void {
    const next = this.#nextMoment()
    if (next === undefined) return
    this.#timer = this.#platform.after(Math.max(0, next - this.#platform.clock.monotonic()), () => {
      this.#timer = undefined
      const now = this.#platform.clock.monotonic()
      for (const call of this.#open) {
        if (call.isHeldUp) continue
        const moment = this.#momentOf(call)
        if (moment > now && !call.hasTimedOut) break
        if (moment <= now) this.#overstep(call, now)
      }
      if (this.#timer === undefined) this.#arm()
    })
  }

  /** Those aborted stand in front, in the order of their abort, then the others, in the order in which they began. */
  #nextMoment(): number | undefined {
    let next: number | undefined
    for (const call of this.#open) {
      if (call.isHeldUp) continue
      const moment = this.#momentOf(call)
      if (next === undefined || moment < next) next = moment
      if (!call.hasTimedOut) break
    }
    return next
  }

  #momentOf({ timedOutAt, beganAt }: Call): number {
    return timedOutAt === undefined ? beganAt + this.#timeoutMs : timedOutAt + this.#graceMs
  }

  #overstep(call: Call, now: number): void {
    if (!call.hasTimedOut) {
      call.timedOutAt = now
      call.abort(new Error(`timed out after ${this.#timeoutMs} ms`))
      return
    }
    call.isAbandoned = true
    this.#open.delete(call)
    this.#abandoned.add(call)
    call.onAbandon?.()
  }
}
