import type { Platform, Timer } from '../core/platform.ts'

/** One call into a stage or sink, with a signal that is made only when somebody looks at it. */
export class Call {
  /** As the monotonic clock says. */
  readonly beganAt: number
  readonly deadline: number
  hasTimedOut = false
  isOver = false
  #controller: AbortController | undefined
  #reason: Error | undefined
  #listener: (() => void) | undefined

  constructor(beganAt: number, timeoutMs: number) {
    this.beganAt = beganAt
    this.deadline = beganAt + timeoutMs
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

/** The calls under way with one common timeout: they end their time in the order they began, so one timer serves all. */
export class Calls {
  readonly #platform: Platform
  readonly #timeoutMs: number
  readonly #open = new Set<Call>()
  #timer: Timer | undefined

  constructor(platform: Platform, timeoutMs: number) {
    this.#platform = platform
    this.#timeoutMs = timeoutMs
  }

  get size(): number {
    return this.#open.size
  }

  /** Calls that ignore their abort. */
  get overdue(): number {
    let count = 0
    for (const call of this.#open) if (call.hasTimedOut) count += 1
    return count
  }

  begin(): Call {
    return new Call(this.#platform.clock.monotonic(), this.#timeoutMs)
  }

  /** The call did not end at once: watch its time. */
  watch(call: Call): void {
    this.#open.add(call)
    if (this.#timer === undefined) this.#arm(call)
  }

  end(call: Call): void {
    call.isOver = true
    this.#open.delete(call)
    if (this.#open.size === 0) {
      this.#timer?.cancel()
      this.#timer = undefined
    }
  }

  abortAll(reason: Error): void {
    for (const call of this.#open) call.abort(reason)
  }

  #arm(call: Call): void {
    this.#timer = this.#platform.after(Math.max(0, call.deadline - this.#platform.clock.monotonic()), () => {
      this.#timer = undefined
      const now = this.#platform.clock.monotonic()
      for (const open of this.#open) {
        if (open.hasTimedOut) continue
        if (open.deadline > now) {
          this.#arm(open)
          return
        }
        open.hasTimedOut = true
        open.abort(new Error(`timed out after ${this.#timeoutMs} ms`))
      }
    })
  }
}
