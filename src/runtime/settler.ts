import { AppError, messageOf } from '../core/errors.ts'
import type { EventRecord } from '../core/event.ts'
import type { Ledger } from '../core/ledger.ts'
import type { LedgerState } from '../core/ledger-state.ts'
import type { Log, Platform, Timer } from '../core/platform.ts'
import type { IsStreamed } from '../core/stream.ts'
import { type Commit, frontierLedger, type LedgerChange, type Store } from '../plugin/store.ts'
import { commitOf } from './ingest-parts.ts'

/** A ledger with the identity it is written under. */
export interface OwnedLedger {
  readonly name: string
  readonly epoch: number
  readonly ledger: Ledger
  /** Nobody owns it any more: what still happens to it is not written. */
  readonly isGone?: boolean
  /** Of the frontier: the number of its last commit, also of an owner before. */
  readonly commit?: number | undefined
  /** Called just before its row is written: brings `examined` and `follows` up to date. */
  align(): void
}

/**
 * Ledger commits with nothing waiting on them are at least this far apart; more when many ledgers are touched. After a crash
 * so much is delivered again. At 20 ms, 64 webhooks in flight cost a tenth more processor time.
 */
const quietMs = 50
const busyMs = 100
const manyLedgers = 100
/** A frontier that moved over events nobody wanted is written this often: after a crash they are examined again. */
const idleFrontierMs = 250
/** How long somebody who waits for an answer is kept. */
const answerMs = 10_000

/**
 * Writes what changed in the ledgers: every touched ledger and the frontier in one commit, one commit at a time.
 * What happens meanwhile gathers for the next one.
 */
export class Settler {
  readonly #store: Store
  readonly #platform: Platform
  readonly #log: Log
  readonly #frontier: OwnedLedger
  #dirty = new Set<OwnedLedger>()
  #derived: EventRecord[] = []
  #writtenFrontier: number
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #isFailing = false
  #commits: number
  lastError: string | undefined
  /** Why ledgers can never be written again, once that is so. */
  readonly lost = Promise.withResolvers<Error>()
  readonly #onDerived: () => void
  readonly #onWritten: () => void
  readonly #isStreamed: IsStreamed | undefined

  constructor(
    store: Store,
    platform: Platform,
    log: Log,
    frontier: OwnedLedger,
    onDerived: () => void,
    onWritten: () => void,
    isStreamed?: IsStreamed,
  ) {
    this.#isStreamed = isStreamed
    this.#store = store
    this.#platform = platform
    this.#log = log
    this.#frontier = frontier
    this.#writtenFrontier = frontier.ledger.examined
    this.#commits = frontier.commit ?? 0
    this.#onDerived = onDerived
    this.#onWritten = onWritten
  }

  /** Nothing to write, nothing being written. */
  get isClean(): boolean {
    return this.#running === undefined && this.#dirty.size === 0 && this.#derived.length === 0
  }

  get isFailing(): boolean {
    return this.#isFailing
  }

  /** The ledger changed: written soon. */
  touch(owned: OwnedLedger): void {
    if (owned.isGone === true) return
    this.#dirty.add(owned)
    if (this.#running === undefined) this.#arm(quietMs)
  }

  /** The frontier moved over events that touched nobody. */
  touchFrontier(): void {
    if (this.#running === undefined && this.#timer === undefined) this.#arm(idleFrontierMs)
  }

  /** An event of the engine or of a stage, appended with the next ledger commit. */
  derive(records: readonly EventRecord[]): void {
    this.#derived.push(...records)
  }

  /**
   * Resolves when everything changed so far is in the store. Nothing is gathered in the caller's turn: who calls may be in the
   * middle of a change, such as a step of which what it keeps is in the ledger and its delivery is not yet (G9).
   */
  flush(): Promise<void> {
    // All who come in one turn, or while one commit is written, share the next one.
    this.#next ??= (this.#running ?? Promise.resolve()).then(() => {
      this.#next = undefined
      return this.#hasWork() ? this.#write() : undefined
    })
    return this.#next
  }

  /** As `flush`, for an answer that promises it: throws `store-indeterminate` when it cannot be said in time. */
  async stored(): Promise<void> {
    let timer: Timer | undefined
    const late = new Promise<void>((resolve) => {
      timer = this.#platform.after(answerMs, resolve)
    })
    let isLate = true
    await Promise.race([
      late,
      this.flush().then(() => {
        isLate = this.#isFailing
      }),
    ])
    timer?.cancel()
    if (isLate)
      throw new AppError(
        'store-indeterminate',
        'writing the ledger failed, and it is not known whether it is there: ask again, which is harmless',
      )
  }

  #hasWork(): boolean {
    this.#frontier.align()
    return this.#dirty.size > 0 || this.#derived.length > 0 || this.#frontier.ledger.examined > this.#writtenFrontier
  }

  #arm(delayMs: number): void {
    const at = this.#platform.clock.monotonic() + delayMs
    if (at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = this.#platform.after(delayMs, () => this.#onTime(delayMs))
  }

  /** The time is up; with many ledgers touched meanwhile, more of each gather before they are written. */
  #onTime(waitedMs: number): void {
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    if (this.#running !== undefined || this.#next !== undefined) return
    if (this.#dirty.size > manyLedgers && waitedMs < busyMs) this.#arm(busyMs)
    else if (this.#hasWork()) void this.#write()
  }

  #write(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Number.POSITIVE_INFINITY
    const commit = this.#gather()
    const run = this.#submit(commit).then(() => {
      this.#running = undefined
      if (this.#dirty.size > 0 || this.#derived.length > 0) {
        this.#arm(quietMs)
      } else if (this.#hasWork()) {
        this.touchFrontier()
      }
      this.#onWritten()
    })
    this.#running = run
    return run
  }

  #gather(): Commit {
    const nowMs = this.#platform.clock.now()
    const ledgers: LedgerChange[] = []
    for (const owned of this.#dirty) {
      owned.align()
      const delta = owned.ledger.take(nowMs)
      if (delta !== undefined) ledgers.push({ subscription: owned.name, partition: 0, epoch: owned.epoch, ...delta })
    }
    this.#dirty = new Set()
    const { ledger, epoch } = this.#frontier
    this.#commits += 1
    const frontier = { ...ledger.snapshot(), commit: this.#commits }
    ledgers.push({ subscription: frontierLedger, partition: 0, epoch, ledger: frontier })
    const events = this.#derived
    this.#derived = []
    return events.length === 0 ? { ledgers } : { ledgers, ...commitOf(events, this.#isStreamed) }
  }

  /** Tries until the store takes it: what it says of deliveries has already happened. */
  async #submit(commit: Commit): Promise<void> {
    for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 5000)) {
      try {
        const [result] = await this.#store.commit([commit])
        if (result?.kind === 'refused') {
          this.#log.error('another process owns this ledger now; deliveries of this one are no longer recorded', {
            detail: result.detail,
          })
          this.lastError = result.detail
          this.#isFailing = true
          this.lost.resolve(
            new AppError('state-conflict', `going on failed: another process owns the ledgers now (${result.detail})`),
          )
          return
        }
        this.#written(commit)
        return
      } catch (error) {
        this.lastError = messageOf(error)
        if (!this.#isFailing)
          this.#log.error('writing the ledgers failed; it is tried again', { error: this.lastError })
        this.#isFailing = true
        if (isFinal(error)) {
          this.lost.resolve(error)
          return
        }
        await new Promise<void>((resolve) => this.#platform.after(pauseMs, resolve))
        if (await this.#isThere(commit)) return
      }
    }
  }

  /** After an unknown outcome: the commit is atomic, so the number that it gives the frontier tells whether it is stored. */
  async #isThere(commit: Commit): Promise<boolean> {
    const { epoch } = this.#frontier
    try {
      const stored = (await this.#store.ledgers()).find(({ subscription }) => subscription === frontierLedger)
      if (stored?.epoch !== epoch || stored.commit !== frontierOf(commit).commit) return false
      this.#written(commit)
      return true
    } catch {
      return false
    }
  }

  #written(commit: Commit): void {
    this.#writtenFrontier = frontierOf(commit).examined
    this.#isFailing = false
    if (commit.events !== undefined) this.#onDerived()
  }
}

function isFinal(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'store-closed'
}

function frontierOf(commit: Commit): LedgerState {
  return commit.ledgers!.at(-1)!.ledger!
}
