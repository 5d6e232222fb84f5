import type { Log } from '../../core/platform.ts'
import type { Target, WireCall } from './protocol.ts'
import { type Job, startThread, type Thread } from './thread.ts'

/** After threads that died one after the other, the next one is started so much later: twice as much each time. */
const firstPauseMs = 100
const longestPauseMs = 10_000

/** What surrounds a call. */
export interface CallContext {
  readonly signal: AbortSignal
  readonly log: Log
}

/** The call was aborted before a thread was free for it: nothing has run. */
export class NoThreadFree extends Error {}

export interface PoolSettings {
  /** Threads at most. */
  readonly workers: number
  /** Memory of each, for objects. */
  readonly memoryMb: number
}

/**
 * Threads that run functions of files, one call in each at a time. They are started when there is work for them and stay.
 * Calls wait in the order they came. A call whose thread dies, or that goes on after its abort, is rejected; the calls in
 * other threads notice nothing.
 */
export class Pool {
  readonly #settings: PoolSettings
  readonly #start: typeof startThread
  readonly #threads = new Set<Thread>()
  readonly #waiting = new Set<Job>()
  #deaths = 0
  #pause: NodeJS.Timeout | undefined

  /** `start` is another one in tests only. */
  constructor(settings: PoolSettings, start = startThread) {
    this.#settings = settings
    this.#start = start
  }

  /** Rejects when the function cannot be loaded. */
  async load(target: Target, context: CallContext): Promise<void> {
    await this.#run(target, undefined, context)
  }

  /** Answers what the function does; rejects when it throws, its thread ends, or the signal aborts it. */
  call(target: Target, call: WireCall, context: CallContext): Promise<unknown> {
    return this.#run(target, call, context)
  }

  /** Ends every thread; what is under way is rejected. */
  async close(): Promise<void> {
    clearTimeout(this.#pause)
    const reason = new Error('the worker threads are being closed')
    for (const job of this.#waiting) job.reject(reason)
    this.#waiting.clear()
    await Promise.all([...this.#threads].map((thread) => thread.terminate(reason)))
  }

  #run(target: Target, call: WireCall | undefined, { signal, log }: CallContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        if (this.#waiting.delete(job)) reject(new NoThreadFree('no worker thread was free in time'))
      }
      const job: Job = { target, call, signal, log, resolve, reject }
      this.#waiting.add(job)
      signal.addEventListener('abort', leave, { once: true })
      if (signal.aborted) leave()
      this.#pump()
    })
  }

  #pump(): void {
    for (const job of this.#waiting) {
      const thread = this.#freeThread()
      if (thread === undefined) return
      this.#waiting.delete(job)
      thread.run(job)
    }
  }

  #freeThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.isFree) return thread
    if (this.#threads.size >= this.#settings.workers || this.#pause !== undefined) return undefined
    try {
      const thread = this.#startThread()
      this.#threads.add(thread)
      return thread
    } catch {
      // The system gives no thread now: calls wait, and those whose time ends meanwhile are made again.
      this.#startLater()
      return undefined
    }
  }

  #startThread(): Thread {
    return this.#start(this.#settings.memoryMb, {
      onFree: () => {
        this.#deaths = 0
        this.#pump()
      },
      onEnd: (ended, isDeath) => {
        this.#threads.delete(ended)
        if (isDeath) this.#startLater()
        this.#pump()
      },
    })
  }

  #startLater(): void {
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#deaths)
    this.#deaths += 1
    clearTimeout(this.#pause)
    this.#pause = setTimeout(() => {
      this.#pause = undefined
      this.#pump()
    }, pauseMs).unref()
  }
}
