import { AppError, messageOf } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import type { LedgerRecord } from '../../core/ledger-state.ts'
import type { Log, Platform } from '../../core/platform.ts'
import type { Store } from '../../plugin/store.ts'
import type { Lane } from '../lane.ts'
import type { Lanes } from '../lanes.ts'
import type { Settler } from '../settler.ts'
import type { SubscriptionSpec } from '../setup.ts'
import { countReplay } from './at-rest.ts'
import type { ReplayAction, ReplayDesk, ReplayDryRun, ReplayOptions, ReplayStanding, ReplayStatus } from './face.ts'
import type { Job } from './job.ts'
import { Jobs } from './jobs.ts'
import { checkOptions, rangeOf, rateOf } from './range.ts'
import { replaySpec } from './spec.ts'

/** Replays of one subscription that have not ended, or whose dead letters are kept. */
const mostOpen = 4
const mostDryRuns = 2

/** What replays work in. */
export interface ReplaysSetup {
  readonly store: Store
  readonly platform: Platform
  readonly log: Log
  readonly lanes: Lanes
  readonly settler: () => Settler
  /** How long ledgers of replays that ended are kept for `explain`. */
  readonly historyMs: number
  /** Throws what there is to say of a subscription that cannot be replayed to. */
  readonly specOf: (subscription: string) => SubscriptionSpec
}

/**
 * The replays of a pipeline. Each has a ledger and a lane beside those of its subscription, and is stored before it begins:
 * after a restart it goes on where its ledger stands. When everything up to its end is settled its lane goes; the ledger
 * stays for a while, for `explain`, and holds back nothing. With dead letters the lane stays, to put them back.
 */
export class Replays implements ReplayDesk {
  readonly #setup: ReplaysSetup
  readonly #jobs: Jobs
  #isStarted = false
  #dryRuns = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(setup: ReplaysSetup) {
    this.#setup = setup
    this.#jobs = new Jobs(setup.store)
  }

  /** Takes up what an earlier process left; called once the lanes of subscriptions are made. */
  async load(): Promise<void> {
    for (const job of await this.#jobs.load()) await this.#takeUp(job)
  }

  /** The lanes come to work. */
  start(): void {
    this.#isStarted = true
  }

  replay(subscription: string, options: ReplayOptions): Promise<ReplayStatus> {
    return this.#inTurn(async () => {
      const { store, platform } = this.#setup
      const { policy } = this.#setup.specOf(subscription)
      checkOptions(subscription, options)
      const rate = rateOf(subscription, options.rate, policy)
      const range = await rangeOf(store, subscription, options)
      if (range.from > range.to)
        throw new AppError('bad-request', `replaying ${subscription} failed: there is no event in that range`)
      this.#mustHaveRoom(subscription)
      const { match, source, subject, ttl = 'ignore' } = options
      const about = { id: newId(platform), subscription, ...range, match, source, subject, rate, ttl }
      const job = await this.#jobs.add({ format: 1, ...about, createdAt: platform.clock.now() })
      try {
        await this.#begin(job)
      } catch (error) {
        await this.#jobs.forget(job)
        throw error
      }
      return this.#status(job)
    })
  }

  async dryRunReplay(subscription: string, options: ReplayOptions, signal?: AbortSignal): Promise<ReplayDryRun> {
    const spec = this.#setup.specOf(subscription)
    if (this.#dryRuns >= mostDryRuns)
      throw new AppError(
        'overloaded',
        `counting for ${subscription} failed: ${mostDryRuns} other dry runs are under way`,
      )
    this.#dryRuns += 1
    try {
      return await countReplay(this.#setup, spec, options, signal)
    } finally {
      this.#dryRuns -= 1
    }
  }

  async replays(subscription?: string): Promise<readonly ReplayStatus[]> {
    const jobs = subscription === undefined ? [...this.#jobs.all()] : this.#jobs.of(subscription)
    // Throws for a name that is none.
    if (subscription !== undefined && jobs.length === 0) this.#setup.specOf(subscription)
    return jobs.map((job) => this.#status(job)).sort(newestFirst)
  }

  async replayStatus(subscription: string, id: string): Promise<ReplayStatus> {
    return this.#status(this.#jobs.one(subscription, id))
  }

  controlReplay(subscription: string, id: string, action: ReplayAction): Promise<ReplayStatus> {
    return this.#inTurn(async () => {
      const job = this.#jobs.one(subscription, id)
      if (job.hasEnded || job.isChanging)
        throw new AppError('state-conflict', `that cannot be done with replay ${id} of ${subscription}: it has ended`)
      if (action === 'cancel') await this.#cancel(job)
      else await this.#setState(job, action)
      return this.#status(job)
    })
  }

  /** Called after every commit of the ledgers: some may be through. */
  look(): void {
    for (const job of this.#jobs.all()) {
      if (job.lane === undefined || job.isChanging || job.lane.isStopping) continue
      job.look(this.#setup.platform.clock.monotonic())
      if (job.isThrough && job.lane.ledger.deadRows !== job.stored.end?.counts.dead) this.#end(job)
    }
  }

  /** From time to time: what ended long ago is forgotten. */
  tend(): Promise<void> {
    const { platform, historyMs } = this.#setup
    return this.#inTurn(() => this.#jobs.tend(platform.clock.now(), historyMs))
  }

  /** Its subscription goes: the replays wait. */
  async leave(subscription: string): Promise<void> {
    for (const job of this.#jobs.of(subscription)) {
      await this.#setup.lanes.remove(job.ledgerName)
      job.letGo()
    }
  }

  /** It is back, perhaps as another: they go on with what it is now. */
  async come(subscription: string): Promise<void> {
    for (const job of this.#jobs.of(subscription)) if (job.lane === undefined && job.needsLane) await this.#takeUp(job)
  }

  /** True for the ledger of a replay that is remembered, whether it has a lane or not. */
  has(ledgerName: string): boolean {
    return this.#jobs.find(ledgerName) !== undefined
  }

  /** True for a ledger that reads no more of the log: only its open rows may need it. */
  isRead({ subscription, examined }: LedgerRecord): boolean {
    const job = this.#jobs.find(subscription)
    return job !== undefined && (job.hasEnded || examined >= job.stored.to)
  }

  holding(sequence: Sequence, name: string | undefined): Promise<readonly (Lane | LedgerRecord)[]> {
    return this.#jobs.holding(sequence, name)
  }

  standing(): Readonly<Record<string, ReplayStanding>> {
    return this.#jobs.standing()
  }

  #status(job: Job): ReplayStatus {
    return job.status(this.#setup.platform.clock.monotonic())
  }

  async #begin(job: Job): Promise<void> {
    const { lanes, specOf } = this.#setup
    const { subscription } = job.stored
    const spec = replaySpec(specOf(subscription), job.stored, lanes.get(subscription))
    this.#jobs.hasLedger(job)
    job.lane = await (this.#isStarted ? lanes.add(spec) : lanes.prepare(spec))
    // It went while the lane was made.
    if (!lanes.has(subscription)) await this.leave(subscription)
  }

  /** One whose subscription is not there, or cannot be replayed to any more, waits for it. */
  async #takeUp(job: Job): Promise<void> {
    try {
      await this.#begin(job)
    } catch (error) {
      const { id, subscription } = job.stored
      this.#setup.log.warn(`replay ${id} of ${subscription} waits`, { reason: messageOf(error) })
    }
  }

  async #setState({ lane, stored }: Job, action: 'pause' | 'resume'): Promise<void> {
    if (lane === undefined)
      throw new AppError(
        'state-conflict',
        `that cannot be done with replay ${stored.id}: its subscription is not at work`,
      )
    if (action === 'pause') lane.ledger.setState('paused', 'paused by hand')
    else lane.ledger.setState('running')
    const settler = this.#setup.settler()
    settler.touch(lane)
    await settler.flush()
    if (action === 'pause') return
    lane.gate.reset()
    if (this.#isStarted) lane.nudge()
  }

  #end(job: Job): void {
    job.isChanging = true
    this.#settle(job)
      .catch((error: unknown) => {
        if (job.lane?.isStopping !== true)
          this.#setup.log.error(`ending replay ${job.stored.id} failed; it is tried again`, { error: messageOf(error) })
      })
      .finally(() => {
        job.isChanging = false
      })
  }

  async #settle(job: Job): Promise<void> {
    const { settler, lanes, platform } = this.#setup
    await settler().flush()
    if (!job.isThrough) return
    const end = { state: 'done', at: platform.clock.now(), counts: job.counts } as const
    await this.#jobs.change(job, { ...job.stored, end })
    if (end.counts.dead > 0) return
    await lanes.remove(job.ledgerName)
    job.letGo()
  }

  async #cancel(job: Job): Promise<void> {
    const { lanes, platform } = this.#setup
    job.isChanging = true
    try {
      await lanes.remove(job.ledgerName)
      const end = { state: 'cancelled', at: platform.clock.now(), counts: job.counts } as const
      await this.#jobs.change(job, { ...job.stored, end })
      job.letGo()
      await this.#jobs.drop(job.ledgerName)
    } finally {
      job.isChanging = false
    }
  }

  #mustHaveRoom(subscription: string): void {
    const open = this.#jobs.of(subscription).filter((job) => !job.hasEnded || job.lane !== undefined)
    if (open.length < mostOpen) return
    const ids = open.map(({ stored }) => stored.id).join(', ')
    throw new AppError(
      'state-conflict',
      `replaying ${subscription} failed: ${open.length} replays of it have not ended, or have dead letters (${ids}). Wait, cancel one, or redrive or discard their dead letters`,
    )
  }

  /** One change after another. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task, task)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** Short, because it stands in message ids and in ids of derived events; in order of time. */
function newId({ clock, id }: Platform): string {
  return `r${clock.now().toString(36)}${id().replaceAll('-', '').slice(-6)}`
}

function newestFirst(a: ReplayStatus, b: ReplayStatus): number {
  return a.id < b.id ? 1 : -1
}
