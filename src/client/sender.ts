import { AppError, messageOf } from '../core/errors.ts'
import type { FileBuffer } from './buffer/file-buffer.ts'
import { type Counters, countResult } from './counters.ts'
import { type Exchange, exchange } from './exchange.ts'
import { type Failure, post } from './request.ts'
import type { Settings } from './settings.ts'
import { createWakeable, type Item, takeBatch, turn } from './waiting.ts'

/**
 * Sends what waits, one request at a time, so that events are stored in the order in which they were published; what comes
 * meanwhile goes together in the next one.
 *
 * - Direct: events are in memory. When the server is away they are tried again until their time is over, or, where there
 *   is a buffer, they go into it at the first failure.
 * - Buffered: while the buffer holds anything, new events go there too, behind what is in it; it is sent from its
 *   beginning, for as long as it takes.
 */
export class Sender {
  readonly #settings: Settings
  readonly #counters: Counters
  readonly #buffer: FileBuffer | undefined
  readonly #waiting: Item[] = []
  readonly #pause = createWakeable()
  readonly #closing = new AbortController()
  readonly #listeners = new Set<() => void>()
  #inFlight = 0
  #intoBuffer = 0
  #running: Promise<void> | undefined
  #failures = 0
  #most: number

  constructor(settings: Settings, counters: Counters, buffer: FileBuffer | undefined) {
    this.#settings = settings
    this.#counters = counters
    this.#buffer = buffer
    this.#most = settings.batchSize
  }

  /** Events in memory without an answer. */
  get waiting(): number {
    return this.#waiting.length + this.#inFlight + this.#intoBuffer
  }

  get isQuiet(): boolean {
    return this.waiting === 0 && !this.#hasBuffered
  }

  get #hasBuffered(): boolean {
    return this.#buffer !== undefined && this.#buffer.events > 0
  }

  get #isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  /** Takes events; each is told its end. */
  add(items: readonly Item[]): void {
    if (this.#hasBuffered) this.#keep(items)
    else if (this.waiting > 0 && this.waiting + items.length > this.#settings.maxWaiting) this.#overflow(items)
    else for (const item of items) this.#waiting.push(item)
    this.start()
  }

  /** Begins to send, if there is anything. */
  start(): void {
    if (this.#running !== undefined || this.#isClosing || this.isQuiet) return
    this.#running = this.#run()
  }

  /** Calls whenever less waits than before. The answer stops that. */
  onMoved(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Ends what is under way; what still waits in memory goes into the buffer, or is given up. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#pause.wake()
    await this.#running
    const rest = this.#waiting.splice(0)
    if (this.#buffer !== undefined) this.#keep(rest)
    else for (const item of rest) this.#giveUp(item)
  }

  async #run(): Promise<void> {
    while (!this.#isClosing && !this.isQuiet) {
      await this.#gather()
      if (this.#waiting.length > 0) await this.#sendDirect()
      else if (this.#hasBuffered) await this.#sendBuffered(this.#buffer!)
      this.#moved()
    }
    this.#running = undefined
  }

  /** What is published in the same turn, or within the time that was asked for, goes together. */
  async #gather(): Promise<void> {
    const { batchWaitMs } = this.#settings
    await turn()
    const isPartial = this.#waiting.length > 0 && this.#waiting.length < this.#most
    if (batchWaitMs > 0 && isPartial && !this.#isClosing) await this.#pause.sleep(batchWaitMs, false)
  }

  async #sendDirect(): Promise<void> {
    const batch = takeBatch(this.#waiting, this.#most)
    this.#inFlight = batch.length
    for (const item of batch) {
      if (item.wasSent) this.#counters.retried += 1
      item.wasSent = true
    }
    const { results, failure } = await this.#exchange(batch.map(({ text }) => text))
    this.#inFlight = 0
    results.forEach((result, index) => {
      countResult(this.#counters, result)
      batch[index]!.end(result)
    })
    if (failure === undefined) return
    const rest = batch.slice(results.length)
    if (failure.kind === 'barred') {
      for (const item of rest) this.#fail(item, failure.error)
      return
    }
    if (failure.mayBeStored) for (const item of rest) item.mayBeStored = true
    if (this.#buffer !== undefined) {
      this.#counters.retried += rest.length
      this.#keep([...rest, ...this.#waiting.splice(0)])
      await this.#pause.sleep(this.#isClosing ? 0 : this.#delayOf(failure), true)
    } else {
      this.#waiting.unshift(...rest)
      await this.#waitForServer(failure)
    }
  }

  async #sendBuffered(buffer: FileBuffer): Promise<void> {
    let failure: Failure | undefined
    try {
      const { lines, damaged } = await buffer.read(this.#most)
      this.#counters.damaged += damaged
      if (lines.length === 0) return
      const done = await this.#exchange(lines)
      failure = done.failure
      const { results } = done
      await buffer.sent(results.length)
      for (const result of results) countResult(this.#counters, result)
      if (failure !== undefined) this.#counters.retried += lines.length - results.length
      const { onReplayed } = this.#settings
      // What it throws is the application's: it shows there, and stops nothing here.
      if (results.length > 0 && onReplayed !== undefined) queueMicrotask(() => onReplayed(results))
    } catch (error) {
      failure = { kind: 'away', reason: messageOf(error), afterMs: this.#settings.mostDelayMs, mayBeStored: true }
      this.#counters.lastError = failure.reason
    }
    if (failure !== undefined && !this.#isClosing) await this.#pause.sleep(this.#delayOf(failure), true)
  }

  async #exchange(texts: readonly string[]): Promise<Exchange> {
    const { batchSize } = this.#settings
    const done = await exchange(texts, (part) => post(this.#settings, part, this.#closing.signal))
    const { spoiled, failure } = done
    this.#most = spoiled === undefined ? Math.min(batchSize, this.#most * 2) : Math.ceil(spoiled / 2)
    this.#failures = failure === undefined ? 0 : this.#failures + 1
    this.#counters.lastError = failure?.kind === 'barred' ? failure.error.message : failure?.reason
    return done
  }

  /** Until the next attempt; events whose time is over meanwhile are given up. */
  async #waitForServer(failure: Failure): Promise<void> {
    const until = performance.now() + this.#delayOf(failure)
    for (let now = performance.now(); now < until && !this.#isClosing; now = performance.now()) {
      const overAt = this.#waiting[0]?.giveUpAt
      if (overAt === undefined) return
      await this.#pause.sleep(Math.min(until, overAt) - now, false)
      while (this.#waiting.length > 0 && this.#waiting[0]!.giveUpAt <= performance.now()) {
        this.#giveUp(this.#waiting.shift()!)
      }
    }
  }

  /** Doubling, shortened at random so that many clients do not come back together; as long as the server asks, at least. */
  #delayOf(failure: Failure): number {
    const { firstDelayMs, mostDelayMs } = this.#settings
    const full = Math.min(mostDelayMs, firstDelayMs * 2 ** (this.#failures - 1))
    const wanted = failure.kind === 'away' ? (failure.afterMs ?? 0) : mostDelayMs
    return Math.max(full - full * 0.5 * Math.random(), Math.min(wanted, 60_000))
  }

  /** Into the buffer, as far as it has room. */
  #keep(items: readonly Item[]): void {
    for (const item of items) {
      const written = this.#buffer!.append(item.text)
      if (written === undefined) {
        this.#refuse(item, this.#settings.buffer!.whenFull, `the buffer is full (${this.#buffer!.path})`)
        continue
      }
      this.#intoBuffer += 1
      const result = { id: item.id, source: item.source, status: 'buffered' } as const
      written.then(
        () => {
          this.#intoBuffer -= 1
          this.#counters.buffered += 1
          item.end(result)
          this.#moved()
        },
        (error: AppError) => {
          this.#intoBuffer -= 1
          this.#fail(item, error)
          this.#moved()
        },
      )
    }
  }

  #overflow(items: readonly Item[]): void {
    const mode = this.#settings.onUnavailable === 'drop' ? 'drop' : 'throw'
    for (const item of items) this.#refuse(item, mode, `${this.waiting} events wait to be sent already`)
  }

  /** There is no room for it. */
  #refuse(item: Item, mode: 'throw' | 'drop', why: string): void {
    if (mode === 'drop') this.#drop(item)
    else this.#fail(item, new AppError('overloaded', `publishing failed: ${why}: publish it again later`))
  }

  #giveUp(item: Item): void {
    if (this.#settings.onUnavailable === 'drop') {
      this.#drop(item)
      return
    }
    const known = item.mayBeStored
      ? 'it may be stored, and publishing it again with its id is safe'
      : 'it is not stored'
    const why = this.#counters.lastError ?? 'the client is closed'
    this.#fail(item, new AppError('server-unreachable', `publishing failed: ${why}; ${known}`))
  }

  #drop({ id, source, end }: Item): void {
    this.#counters.dropped += 1
    end({ id, source, status: 'dropped' })
  }

  #fail({ id, source, mayBeStored, end }: Item, error: AppError): void {
    this.#counters.failed += 1
    const { code, message } = error
    end({ id, source, status: mayBeStored ? 'unknown' : 'refused', error: { code, message } }, error)
  }

  #moved(): void {
    for (const listener of this.#listeners) listener()
  }
}
