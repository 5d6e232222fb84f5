import { AppError, messageOf } from '../../core/errors.ts'
import { rebuildLedger, rebuiltBy } from '../../core/ledger-name.ts'
import type { LedgerRecord } from '../../core/ledger-state.ts'
import type { Log, Platform } from '../../core/platform.ts'
import type { Store } from '../../plugin/store.ts'
import type { Dispatch } from '../dispatch.ts'
import type { Lane } from '../lane.ts'
import type { Lanes } from '../lanes.ts'
import type { SubscriptionSpec } from '../setup.ts'
import type { Watch } from '../watch.ts'
import type { RebuildAction, RebuildDesk, RebuildOptions, RebuildStatus } from './face.ts'
import { Job } from './job.ts'
import { rebuildSpec } from './spec.ts'
import { switchOver } from './switch.ts'

const lookAgainMs = 1000

/** What rebuilds work in. */
export interface RebuildsSetup {
  readonly store: Store
  readonly platform: Platform
  readonly log: Log
  readonly lanes: Lanes
  readonly dispatch: () => Dispatch
  readonly watch: Watch
  /** Throws what there is to say of a name that is no subscription with a ledger. */
  readonly laneOf: (subscription: string) => Lane
}

/**
 * The rebuilds of a pipeline. Each is a lane beside that of its subscription, on a ledger of its own from which it goes on
 * after a restart: that the ledger is there is all that is stored of it. When it has caught up, its ledger takes the name of
 * the other one.
 *
 * A subscription whose stored version is not that of its code stands still from the start on: what it keeps can be read, and
 * is replaced by a rebuild.
 */
export class Rebuilds implements RebuildDesk {
  readonly #setup: RebuildsSetup
  /** Those under way, by subscription. */
  readonly #jobs = new Map<string, Job>()
  /** How the last one of each ended. */
  readonly #ended = new Map<string, RebuildStatus>()
  #isStarted = false
  #isStopping = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(setup: RebuildsSetup) {
    this.#setup = setup
  }

  /** Looks at what an earlier process left; called once the lanes of subscriptions are made. */
  async load(): Promise<void> {
    const { store, lanes, log } = this.#setup
    const shadows = new Map<string, LedgerRecord>()
    for (const record of await store.ledgers()) {
      const subscription = rebuiltBy(record.subscription)
      if (subscription !== undefined) shadows.set(subscription, record)
    }
    for (const [subscription, { foldVersion }] of shadows)
      if (lanes.spec(subscription)?.foldVersion !== foldVersion) {
        await dropped(store, rebuildLedger(subscription))
        shadows.delete(subscription)
      }
    for (const lane of lanes.subscriptions()) {
      const spec = lanes.spec(lane.name)!
      const isOld = spec.foldVersion !== undefined && spec.foldVersion !== lane.ledger.foldVersion
      if (isOld) lane.frozen = frozenText(lane, spec)
      if (!isOld && !shadows.has(lane.name)) continue
      try {
        await this.#begin(lane, shadows.has(lane.name))
      } catch (error) {
        lane.frozen = `${frozenText(lane, spec)}; ${messageOf(error)}`
        log.warn(`what ${lane.name} keeps is not rebuilt`, { reason: messageOf(error) })
      }
    }
  }

  /** The lanes come to work. */
  start(): void {
    this.#isStarted = true
  }

  /** No rebuild begins or takes its place any more. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#last
  }

  rebuild(subscription: string, { force = false }: RebuildOptions = {}): Promise<RebuildStatus> {
    return this.#inTurn(async () => {
      const lane = this.#setup.laneOf(subscription)
      if (this.#jobs.has(subscription))
        throw new AppError(
          'state-conflict',
          `rebuilding ${subscription} failed: it is being rebuilt; cancel that one first to begin again`,
        )
      return this.#status(await this.#begin(lane, force))
    })
  }

  rebuildStatus(subscription: string): RebuildStatus | undefined {
    const job = this.#jobs.get(subscription)
    return job === undefined ? this.#ended.get(subscription) : this.#status(job)
  }

  async rebuilt(subscription: string): Promise<RebuildStatus | undefined> {
    const { laneOf, watch } = this.#setup
    laneOf(subscription)
    for (;;) {
      const changed = watch.next()
      const status = this.rebuildStatus(subscription)
      if (watch.isOver || (status?.state !== 'building' && status?.state !== 'switching')) return status
      await changed
    }
  }

  controlRebuild(subscription: string, action: RebuildAction): Promise<RebuildStatus> {
    return this.#inTurn(async () => {
      this.#setup.laneOf(subscription)
      const job = this.#jobs.get(subscription)
      if (job === undefined)
        throw new AppError('state-conflict', `that cannot be done: no rebuild of ${subscription} is under way`)
      if (action === 'cancel') return this.#cancel(job)
      job.isForced = true
      this.#look(job)
      return this.#status(job)
    })
  }

  /** Called after every commit of the ledgers: some may have caught up. */
  look(): void {
    for (const job of this.#jobs.values()) this.#look(job)
  }

  #look(job: Job): void {
    const { store, platform, log } = this.#setup
    if (job.phase !== 'building' || this.#isStopping) return
    job.look(platform.clock.monotonic())
    if (!this.#isStarted || !job.isReady(store.head())) return
    job.phase = 'switching'
    this.#inTurn(() => this.#switch(job)).catch((error: unknown) => {
      if (!this.#isStopping)
        log.error(`the rebuild of ${job.subscription} did not take its place`, { error: messageOf(error) })
    })
  }

  async #switch(job: Job): Promise<void> {
    const { lanes, log, platform } = this.#setup
    // It was cancelled while it waited for its turn.
    if (job.phase !== 'switching') return
    if (await switchOver(job, lanes.get(job.subscription)!, this.#setup, () => this.#isStopping)) {
      this.#end(job, 'done')
      log.info(`what ${job.subscription} keeps was rebuilt`, { events: job.lane.ledger.counters.matched })
      return
    }
    job.phase = 'building'
    platform.after(lookAgainMs, () => this.#look(job))
  }

  #end(job: Job, state: 'done' | 'cancelled'): RebuildStatus {
    const ended = job.end(state, this.#setup.store.head(), this.#setup.platform.clock.now())
    this.#ended.set(job.subscription, ended)
    this.#jobs.delete(job.subscription)
    this.#setup.watch.changed()
    return ended
  }

  /** @param isWanted Also where the log does not begin where the state did. */
  async #begin(lane: Lane, isWanted: boolean): Promise<Job> {
    const { store, lanes } = this.#setup
    const { name, ledger } = lane
    const spec = lanes.spec(name)!
    if (spec.foldVersion === undefined)
      throw new AppError(
        'state-conflict',
        `rebuilding ${name} failed: what it keeps does not follow from the log alone. Only projections can be rebuilt; deliveries are made again with a replay`,
      )
    const oldest = store.oldest()
    if (oldest - 1 > ledger.start && !isWanted)
      throw new AppError(
        'state-conflict',
        `rebuilding ${name} failed: its state begins with event ${ledger.start + 1}, and the log now with event ${oldest}, so another state would come of it. With force it is built of what is there`,
      )
    const shadow = rebuildSpec(spec, Math.max(ledger.start + 1, oldest))
    const job = new Job(name, await (this.#isStarted ? lanes.add(shadow) : lanes.prepare(shadow)))
    this.#jobs.set(name, job)
    return job
  }

  async #cancel(job: Job): Promise<RebuildStatus> {
    const { store, lanes } = this.#setup
    const { name } = job.lane
    const live = lanes.get(job.subscription)!
    const ended = this.#end(job, 'cancelled')
    await lanes.remove(name)
    await store.dropLedger(name)
    if (live.frozen !== undefined)
      live.frozen = `${frozenText(live, lanes.spec(job.subscription)!)}; its rebuild was cancelled: "millrace rebuild ${job.subscription}" begins another`
    return ended
  }

  #status(job: Job): RebuildStatus {
    return job.status(this.#setup.store.head())
  }

  /** One change after another. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = (): Promise<T> => {
      if (this.#isStopping) throw new AppError('stopping', 'the pipeline is stopping')
      return task()
    }
    const result = this.#last.then(run)
    this.#last = result.catch(() => undefined)
    return result
  }
}

/** A store that is open for reading only keeps it. */
async function dropped(store: Store, ledger: string): Promise<void> {
  try {
    await store.dropLedger(ledger)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'store-readonly') throw error
  }
}

function frozenText({ ledger }: Lane, spec: SubscriptionSpec): string {
  return `its state is of version ${ledger.foldVersion ?? 'none'}, and the code is ${spec.foldVersion}: it is served as it is until it is rebuilt`
}
