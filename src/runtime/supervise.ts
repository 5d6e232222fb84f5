import { messageOf } from '../core/errors.ts'
import type { Log, Platform } from '../core/platform.ts'

export interface LoopState {
  restarts: number
  lastError?: string | undefined
  alive: boolean
}

const firstPauseMs = 200
const longestPauseMs = 30_000
/** A run that lasted this long was healthy: the pause starts small again. */
const healthyMs = 60_000

/**
 * The pipeline's background work, in one place: every loop is named, restarted when it throws, shown in health, and
 * awaited at the end.
 */
export class Services {
  readonly #platform: Platform
  readonly #log: Log
  readonly #stop = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly loops = new Map<string, LoopState>()

  constructor(platform: Platform, log: Log) {
    this.#platform = platform
    this.#log = log
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** Runs `task` until it returns; when it throws, again after a growing pause. */
  loop(name: string, task: () => Promise<void>): void {
    const state: LoopState = { restarts: 0, alive: true }
    this.loops.set(name, state)
    const run = this.#supervise(name, task, state).finally(() => {
      state.alive = false
      this.#running.delete(run)
    })
    this.#running.add(run)
  }

  /** Runs `task` now and then every `everyMs` until the pipeline stops. */
  every(name: string, everyMs: number, task: () => Promise<void>): void {
    this.loop(name, async () => {
      while (!this.signal.aborted) {
        await task()
        await this.sleep(everyMs)
      }
    })
  }

  /** Waits; false when the pipeline stops first. */
  sleep(ms: number): Promise<boolean> {
    if (this.signal.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const onAbort = (): void => {
        timer.cancel()
        resolve(false)
      }
      const timer = this.#platform.after(ms, () => {
        this.signal.removeEventListener('abort', onAbort)
        resolve(true)
      })
      this.signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Cancels everything and waits for it, at most until `deadline` resolves. */
  async stop(deadline: Promise<void>): Promise<void> {
    this.#stop.abort(new Error('the pipeline is stopping'))
    await Promise.race([Promise.all(this.#running), deadline])
  }

  async #supervise(name: string, task: () => Promise<void>, state: LoopState): Promise<void> {
    let pauseMs = firstPauseMs
    while (!this.signal.aborted) {
      const began = this.#platform.clock.monotonic()
      try {
        await task()
        return
      } catch (error) {
        if (this.signal.aborted) return
        state.restarts += 1
        state.lastError = messageOf(error)
        if (this.#platform.clock.monotonic() - began > healthyMs) pauseMs = firstPauseMs
        this.#log.error(`${name} failed; it starts again in ${pauseMs} ms`, {
          error: state.lastError,
          restarts: state.restarts,
        })
        await this.sleep(pauseMs)
        pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      }
    }
  }
}
