import type { AppError } from '../core/errors.ts'
import { isSubscriptionLedger } from '../core/ledger-name.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Log, Platform } from '../core/platform.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import { alarm } from './alarm.ts'
import { AttemptPlaces, placesFor } from './attempt-places.ts'
import { abortAttempts, attemptsEnd, clearMarks, closePlugins, isQuiet, quietly, stopTimers } from './closing.ts'
import { Dispatch } from './dispatch.ts'
import { ownFrontier } from './frontier.ts'
import { Ingest } from './ingest.ts'
import { guardsOf } from './ingest-parts.ts'
import type { Lane } from './lane.ts'
import { Lanes } from './lanes.ts'
import { openLedgers, retire } from './open-ledgers.ts'
import { Quarantine } from './quarantine.ts'
import { Rebuilds } from './rebuild/rebuilds.ts'
import { recover } from './recovery.ts'
import { noReplay, otherSink, unknownSubscription } from './refusals.ts'
import { Replays } from './replay/replays.ts'
import { Desk } from './run-time/desk.ts'
import { loadRunTime, namesOf } from './run-time/load.ts'
import { type OwnedLedger, Settler } from './settler.ts'
import type { EngineSetup, MadeSpec, SubscriptionSpec } from './setup.ts'
import { type RunningSource, startSource } from './source-run.ts'
import { configuredLanes, reportChanges } from './start-report.ts'
import type { Observed } from './status.ts'
import { Services } from './supervise.ts'
import type { Taps } from './taps.ts'
import { startUpkeep } from './upkeep.ts'
import type { View } from './view.ts'
import { Views } from './views.ts'
import { Watch } from './watch.ts'

/** What a stop still has to write and to close may take this much longer than attempts may. */
const closeMs = 1000

/** A pipeline whose store and ledgers are open: the parts, wired together. */
export class Opened {
  readonly store: Store
  readonly platform: Platform
  readonly log: Log
  readonly services: Services
  readonly ingest: Ingest
  readonly dispatch: Dispatch
  readonly settler: Settler
  readonly quarantine: Quarantine
  readonly lanes: Lanes
  readonly views: Views
  readonly desk: Desk
  readonly replays: Replays
  readonly rebuilds: Rebuilds
  retired: LedgerRecord[] = []
  readonly sources: RunningSource[] = []
  readonly observed = new Map<string, Observed>()
  readonly openedAt: number
  readonly #setup: EngineSetup
  readonly #taps: Taps
  readonly #frontier: OwnedLedger
  readonly #wasMarked: boolean
  /** The ledgers as this process found them. */
  readonly #before: readonly LedgerRecord[]
  /** Told after each commit of the ledgers and each piece of the log. */
  readonly watch = new Watch()
  #isStarted = false
  #letGo: () => void = () => undefined

  static async open(setup: EngineSetup, taps: Taps): Promise<Opened> {
    const store = await setup.openStore()
    try {
      const before = await store.ledgers()
      const { setup: all, entries } = await loadRunTime(setup, store)
      const records = await openLedgers(store, all)
      const opened = new Opened(all, taps, store, records, before, (live) => {
        return new Desk(live, setup.runTime, entries, namesOf(setup))
      })
      await opened.#makeLanes(records)
      await opened.replays.load()
      await opened.rebuilds.load()
      return opened
    } catch (error) {
      await store.close()
      throw error
    }
  }

  private constructor(
    setup: EngineSetup,
    taps: Taps,
    store: Store,
    records: ReadonlyMap<string, LedgerRecord>,
    before: readonly LedgerRecord[],
    makeDesk: (live: Opened) => Desk,
  ) {
    this.#setup = setup
    this.#before = before
    this.#taps = taps
    this.store = store
    this.platform = setup.platform
    this.log = setup.log
    this.openedAt = setup.platform.clock.monotonic()
    this.services = new Services(setup.platform, setup.log)
    this.quarantine = new Quarantine(store, setup.log)
    this.views = new Views(setup.views ?? [], store, setup.platform, setup.log)
    const record = records.get(frontierLedger)!
    this.#wasMarked = record.mark !== undefined
    this.#frontier = ownFrontier(record, () => this.dispatch.frontier)
    this.dispatch = new Dispatch(store, setup.platform, setup.log, record.examined, () => {
      this.settler.touchFrontier()
      this.watch.changed()
    })
    this.settler = new Settler(
      store,
      setup.platform,
      setup.log,
      this.#frontier,
      () => this.dispatch.wake(),
      () => {
        this.watch.changed()
        this.replays.look()
        this.rebuilds.look()
      },
      setup.isStreamed,
    )
    const guards = guardsOf(setup)
    const around = {
      gate: guards.gate,
      store,
      platform: setup.platform,
      log: setup.log,
      settler: () => this.settler,
      quarantine: this.quarantine,
      places: new AttemptPlaces(placesFor(setup)),
      onRoom: (roomy: Lane) => this.#read(roomy),
      onMoved: (listener: () => void) => this.dispatch.onMoved(listener),
      dispatch: () => this.dispatch,
      rebuildOf: (name: string) => this.rebuilds.rebuildStatus(name),
      watch: this.watch,
    }
    this.lanes = new Lanes({
      around,
      dispatch: around.dispatch,
      signal: this.services.signal,
      onLeave: (name) => this.replays.leave(name),
      onCome: (name) => this.replays.come(name),
    })
    this.replays = new Replays({
      ...around,
      lanes: this.lanes,
      historyMs: setup.historyMs,
      specOf: (name) => this.spec(name),
    })
    this.rebuilds = new Rebuilds({ ...around, lanes: this.lanes, laneOf: (name) => this.subscription(name) })
    this.desk = makeDesk(this)
    this.ingest = new Ingest(store, setup.limits, setup.platform, this.dispatch, guards)
  }

  lane(name: string): Lane {
    const lane = this.lanes.get(name)
    if (lane !== undefined) return lane
    if (this.#taps.has(name)) throw this.#taps.noLedger(name)
    throw this.views.has(name) ? this.views.noLedger(name) : this.unknown(name)
  }

  view(name: string): View {
    const view = this.views.get(name)
    if (view !== undefined) return view
    throw otherSink(this.lane(name), 'reading the stream of', 'sse')
  }

  /** As `lane`, but none of those beside it. */
  subscription(name: string): Lane {
    const lane = this.lane(name)
    if (!isSubscriptionLedger(name)) throw this.unknown(name)
    return lane
  }

  /** What a subscription is made of; throws for one that has no deliveries of its own to make again. */
  spec(name: string): SubscriptionSpec {
    const { pull } = this.subscription(name)
    const spec = this.lanes.spec(name)!
    if (pull !== undefined || spec.foldVersion !== undefined) throw noReplay(name, spec)
    return spec
  }

  unknown(name: string): AppError {
    const retired = this.retired.map(({ subscription }) => subscription)
    const lanes = this.lanes.subscriptions().map((lane) => lane.name)
    return unknownSubscription(name, [...lanes, ...this.views.names, ...this.#taps.names, ...retired].sort())
  }

  async start(): Promise<void> {
    this.#letGo = this.#setup.keepAlive()
    for (const lane of this.lanes.values()) await this.lanes.open(lane)
    const { log, platform, services } = this
    await this.#taps.start((name) => ({ name, log, clock: platform.clock, signal: services.signal }))
    await reportChanges(this.store, this.log, configuredLanes(this.lanes, this.desk), this.#before)
    const isUnclean = this.#wasMarked
    await this.store.mark(frontierLedger, 0, this.#frontier.epoch, { upTo: this.store.head() })
    for (const lane of this.lanes.values()) {
      const record = this.lanes.record(lane.name)
      if (isUnclean && lane.setup.runsUserCode && record.mark !== undefined)
        this.quarantine.suspect(lane, Math.min(record.mark.upTo, this.store.head()))
      if (lane.frozen === undefined) await recover(lane, record, isUnclean)
    }
    // Until here the marks are those of the process before: a start that fails leaves them for the next one.
    this.#isStarted = true
    this.replays.start()
    this.rebuilds.start()
    for (const lane of this.lanes.values()) if (lane.isRunning) this.resume(lane)
    this.#taps.join(this.dispatch)
    this.dispatch.start()
    startUpkeep(this, this.#setup)
    for (const spec of this.#setup.sources) this.sources.push(startSource(spec, this))
  }

  /** A subscription that was made just now comes to work, or will at the start. */
  async begin({ lane, view }: MadeSpec): Promise<void> {
    if (view !== undefined) this.views.add(view)
    if (lane === undefined) return
    await (this.#isStarted ? this.lanes.add(lane) : this.lanes.prepare(lane))
    this.forget(lane.policy.name)
  }

  /** Nothing of it runs any more; its ledger stays. */
  async end(name: string, graceMs: number): Promise<void> {
    this.views.remove(name)
    await this.lanes.remove(name, graceMs)
  }

  /** What was said of a ledger that is gone, or at work again. */
  forget(name: string): void {
    this.retired = this.retired.filter(({ subscription }) => subscription !== name)
    this.observed.delete(name)
  }

  resume(lane: Lane): void {
    this.#read(lane)
    lane.nudge()
  }

  /** The lane of a replay reads by itself. */
  #read(lane: Lane): void {
    const { replay } = lane.setup
    if (replay === undefined) this.dispatch.join(lane)
    else if (this.#isStarted) replay.read(lane)
  }

  /** Resolves when nothing is left to do now: waiting retries and replays do not count. */
  async idle(): Promise<void> {
    this.settler.touchFrontier()
    for (let changed = this.watch.next(); !this.watch.isOver; changed = this.watch.next()) {
      if (this.dispatch.isCaughtUp && this.lanes.subscriptions().every(isQuiet)) {
        if (this.settler.isClean) return
        void this.settler.flush()
      }
      await changed
    }
  }

  async stop(deadlineMs: number): Promise<void> {
    this.ingest.isStopping = true
    this.views.close()
    const deadline = alarm(this.platform, deadlineMs)
    const end = alarm(this.platform, deadlineMs + closeMs)
    const stopping = this.services.stop(deadline.rings)
    await quietly(this.log, 'ending a rebuild that takes its place', end, () => this.rebuilds.stop())
    this.dispatch.stop()
    for (const lane of this.lanes.values()) {
      lane.isStopping = true
      lane.pull?.stop()
    }
    await Promise.all([
      attemptsEnd(this.platform, deadline, () => this.lanes.values()),
      this.#taps.stop(deadline.rings),
    ])
    for (const lane of this.lanes.values()) abortAttempts(lane, new Error('the pipeline is stopping'))
    await stopping
    await Promise.all([...this.lanes.values()].map((lane) => stopTimers(lane, end)))
    await quietly(this.log, 'writing the ledgers', end, () => this.settler.flush())
    if (!end.hasRung && this.#isStarted)
      await quietly(this.log, 'clearing the marks of a running process', end, () =>
        clearMarks(this, this.#frontier.epoch),
      )
    const sources = this.sources.flatMap(({ source }) => source ?? [])
    await closePlugins(this.log, end, sources, [...this.lanes.values()])
    deadline.cancel()
    end.cancel()
    this.watch.end()
    await this.store.close()
    this.#letGo()
  }

  async #makeLanes(records: ReadonlyMap<string, LedgerRecord>): Promise<void> {
    const frontier = records.get(frontierLedger)!.examined
    for (const spec of this.#setup.subscriptions) await this.lanes.make(spec, records.get(spec.policy.name)!, frontier)
    this.retired = await retire(this.store, new Set(this.lanes.keys()), frontier, this.platform.id())
  }
}
