import { clearTimeout, setTimeout } from 'node:timers'
import { AppError } from '../../core/errors.ts'
import type { Log, Platform, Timer } from '../../core/platform.ts'

/**
 * The life of one process of a test pipeline, and the platform that ends with it.
 * - `running`: everything goes through.
 * - `crashed`: no timer fires, nothing is called, written or logged; what waited will wait.
 * - `released`: what waited for an answer is told that the store is closed, what waited for a time goes on, and timers are
 *   real, so that sockets, threads and files which the end of a real process would take with it are closed.
 * - `over`: as crashed, for ever.
 */
export interface Life {
  readonly platform: Platform
  readonly log: Log
  readonly isRunning: boolean
  /** Resolves at the crash. */
  readonly crashed: Promise<void>
  crash(): void
  release(): void
  end(): void
  /** The answer that never comes, since the process ended first. */
  cutOff<T>(): Promise<T>
}

interface Waiting {
  readonly task: () => void
  timer?: Timer
}

/** How long what is left of a crashed process may take to close, at most. */
const closeMs = 1000

/** A process that lives on this platform. */
export function createLife(platform: Platform, log: Log): Life {
  let state: 'running' | 'crashed' | 'released' | 'over' = 'running'
  const crashed = Promise.withResolvers<void>()
  const released = Promise.withResolvers<never>()
  released.promise.catch(() => undefined)
  const waiting = new Set<Waiting>()
  const isRunning = () => state === 'running'

  const start = (each: Waiting, timerOf: (run: () => void) => Timer) => {
    each.timer = timerOf(() => {
      waiting.delete(each)
      each.task()
    })
  }
  const stopTimers = () => {
    for (const { timer } of waiting) timer?.cancel()
  }
  const after = (delayMs: number, task: () => void): Timer => {
    const each: Waiting = { task }
    waiting.add(each)
    if (state === 'running') start(each, (run) => platform.after(delayMs, run))
    if (state === 'released') start(each, (run) => realTimer(Math.min(delayMs, closeMs), run))
    return {
      cancel() {
        waiting.delete(each)
        each.timer?.cancel()
      },
    }
  }
  return {
    platform: {
      clock: platform.clock,
      after,
      soon: (task) => platform.soon(() => (isRunning() ? task() : void after(0, task))),
      random: platform.random,
      id: platform.id,
      digest: platform.digest,
    },
    log: {
      debug: (message, fields) => void (isRunning() && log.debug(message, fields)),
      info: (message, fields) => void (isRunning() && log.info(message, fields)),
      warn: (message, fields) => void (isRunning() && log.warn(message, fields)),
      error: (message, fields) => void (isRunning() && log.error(message, fields)),
    },
    get isRunning() {
      return isRunning()
    },
    crashed: crashed.promise,
    crash() {
      if (state !== 'running') return
      state = 'crashed'
      stopTimers()
      crashed.resolve()
    },
    release() {
      state = 'released'
      released.reject(new AppError('store-closed', 'the process of this pipeline has crashed'))
      for (const each of waiting) start(each, (run) => realTimer(0, run))
    },
    end() {
      state = 'over'
      stopTimers()
    },
    cutOff: () => released.promise,
  }
}

function realTimer(delayMs: number, task: () => void): Timer {
  const timer = setTimeout(task, delayMs)
  return { cancel: () => clearTimeout(timer) }
}
