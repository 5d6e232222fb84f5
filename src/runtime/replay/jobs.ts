import { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import type { LedgerRecord } from '../../core/ledger-state.ts'
import { isReplayLedger, replayLedger } from '../../core/replay-name.ts'
import type { Store } from '../../plugin/store.ts'
import type { Lane } from '../lane.ts'
import type { ReplayStanding } from './face.ts'
import { Job } from './job.ts'
import { forgetReplay, listReplays, type StoredReplay, writeReplay } from './stored.ts'

/** Replays that ended are remembered so long, and so many of them. */
const rememberMs = 30 * 86_400_000
const mostRemembered = 100

/** The replays that are remembered, and which of their ledgers the store has. */
export class Jobs {
  readonly #store: Store
  readonly #jobs = new Map<string, Job>()
  readonly #ledgers = new Set<string>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Reads what is stored; answers those that have something left to do. */
  async load(): Promise<readonly Job[]> {
    const records = new Map<string, LedgerRecord>()
    for (const record of await this.#store.ledgers())
      if (isReplayLedger(record.subscription)) records.set(record.subscription, record)
    const left: Job[] = []
    for (const stored of await listReplays(this.#store)) {
      const job = new Job(stored)
      const { ledgerName } = job
      this.#jobs.set(ledgerName, job)
      const record = records.get(ledgerName)
      if (record !== undefined && stored.end?.state !== 'cancelled') {
        job.keep(record)
        this.#ledgers.add(ledgerName)
        records.delete(ledgerName)
      }
      if (job.needsLane) left.push(job)
    }
    // Of replays that were cancelled while the process died, or were forgotten.
    for (const name of records.keys()) await this.drop(name)
    return left
  }

  all(): IterableIterator<Job> {
    return this.#jobs.values()
  }

  /** Those of one subscription. */
  of(subscription: string): Job[] {
    return [...this.#jobs.values()].filter(({ stored }) => stored.subscription === subscription)
  }

  /** One by name; throws `not-found`. */
  one(subscription: string, id: string): Job {
    const job = this.#jobs.get(replayLedger(subscription, id))
    if (job !== undefined) return job
    throw new AppError(
      'not-found',
      `there is no replay ${id} of subscription ${subscription}: "millrace replays" lists those that are remembered`,
    )
  }

  find(ledgerName: string): Job | undefined {
    return this.#jobs.get(ledgerName)
  }

  /** Stores a new one. */
  async add(stored: StoredReplay): Promise<Job> {
    await writeReplay(this.#store, stored)
    const job = new Job(stored)
    this.#jobs.set(job.ledgerName, job)
    return job
  }

  async change(job: Job, stored: StoredReplay): Promise<void> {
    await writeReplay(this.#store, stored)
    job.stored = stored
  }

  /** Its ledger is in the store from now on. */
  hasLedger(job: Job): void {
    this.#ledgers.add(job.ledgerName)
  }

  /** The ledger goes, with dead letters and history. */
  async drop(ledgerName: string): Promise<void> {
    await this.#store.dropLedger(ledgerName)
    this.#ledgers.delete(ledgerName)
  }

  async forget(job: Job): Promise<void> {
    if (this.#ledgers.has(job.ledgerName)) await this.drop(job.ledgerName)
    await forgetReplay(this.#store, job.stored)
    this.#jobs.delete(job.ledgerName)
  }

  /** What ended long ago is forgotten, its ledger before that, and all replays of subscriptions that are no more. */
  async tend(nowMs: number, historyMs: number): Promise<void> {
    const owners = new Set((await this.#store.ledgers()).map(({ subscription }) => subscription))
    const idle = [...this.#jobs.values()].filter(({ lane, isChanging }) => lane === undefined && !isChanging)
    const ended = idle.filter(({ hasEnded }) => hasEnded).sort((a, b) => b.stored.end!.at - a.stored.end!.at)
    for (const [place, job] of ended.entries()) {
      const { at } = job.stored.end!
      if (at + rememberMs < nowMs || place >= mostRemembered) await this.forget(job)
      else if (at + historyMs < nowMs && this.#ledgers.has(job.ledgerName)) await this.drop(job.ledgerName)
    }
    for (const job of idle) if (!owners.has(job.stored.subscription)) await this.forget(job)
  }

  /** Replays whose range holds a sequence, for `explain`: of all, of one subscription, or one by the name of its ledger. */
  async holding(sequence: Sequence, name: string | undefined): Promise<readonly (Lane | LedgerRecord)[]> {
    const wanted = [...this.#jobs.values()].filter(
      ({ stored, ledgerName }) =>
        sequence >= stored.from &&
        sequence <= stored.to &&
        this.#ledgers.has(ledgerName) &&
        (name === undefined || name === stored.subscription || name === ledgerName),
    )
    if (wanted.length === 0) return []
    const records = new Map((await this.#store.ledgers()).map((record) => [record.subscription, record]))
    return wanted.flatMap(({ lane, ledgerName }) => lane ?? records.get(ledgerName) ?? [])
  }

  /** Of each subscription with replays that have not ended: how many stand how. */
  standing(): Readonly<Record<string, ReplayStanding>> {
    const all: Record<string, { -readonly [K in keyof ReplayStanding]: ReplayStanding[K] }> = {}
    for (const job of this.#jobs.values()) {
      const { state, counts, stored } = job
      if (state === 'done' || state === 'cancelled') continue
      all[stored.subscription] ??= { running: 0, paused: 0, failed: 0, remaining: 0 }
      const standing = all[stored.subscription]!
      standing[state] += 1
      standing.remaining += stored.to - stored.from + 1 - counts.examined + counts.open
    }
    return all
  }
}
