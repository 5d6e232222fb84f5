import { AppError } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import { nearest } from '../core/issues.ts'
import { Ledger } from '../core/ledger.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { PluginContext, Source } from '../plugin/source.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import { type Alarm, alarm } from './alarm.ts'
import { Calls } from './calls.ts'
import { closePlugins, quietly } from './closing.ts'
import { Dispatch } from './dispatch.ts'
import { Ingest } from './ingest.ts'
import { Lane } from './lane.ts'
import { openLedgers, retire } from './open-ledgers.ts'
import { Places } from './places.ts'
import { Quarantine } from './quarantine.ts'
import { recover } from './recovery.ts'
import { type OwnedLedger, Settler } from './settler.ts'
import type { EngineSetup } from './setup.ts'
import { type RunningSource, runSource } from './source-run.ts'
import { type Observed, observe } from './status.ts'
import { Services } from './supervise.ts'
import { retain, tendDead } from './upkeep.ts'

const retentionEveryMs = 3_600_000
const tendEveryMs = 30_000
const observeEveryMs = 10_000
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
  readonly lanes = new Map<string, Lane>()
  retired: LedgerRecord[] = []
  readonly sources: RunningSource[] = []
  readonly observed = new Map<string, Observed>()
  readonly openedAt: number
  readonly #setup: EngineSetup
  readonly #frontier: OwnedLedger
  readonly #records = new Map<string, LedgerRecord>()
  readonly #madeSources: Source[] = []
  readonly #idlers = new Set<() => void>()
  #isStarted = false
  #letGo: () => void = () => undefined

  static async open(setup: EngineSetup): Promise<Opened> {
    const store = await setup.openStore()
    try {
      const records = await openLedgers(store, setup)
      const opened = new Opened(setup, store, records)
      await opened.#makeLanes(records)
      return opened
    } catch (error) {
      await store.close()
      throw error
    }
  }

  private constructor(setup: EngineSetup, store: Store, records: ReadonlyMap<string, LedgerRecord>) {
    this.#setup = setup
    this.store = store
    this.platform = setup.platform
    this.log = setup.log
    this.openedAt = setup.platform.clock.monotonic()
    this.services = new Services(setup.platform, setup.log)
    this.quarantine = new Quarantine(store, setup.log)
    const record = records.get(frontierLedger)!
    const ledger = new Ledger(record)
    this.#frontier = {
      name: frontierLedger,
      epoch: record.epoch,
      ledger,
      align: () => {
        ledger.examined = this.dispatch.frontier
      },
    }
    this.dispatch = new Dispatch(store, setup.platform, setup.log, record.examined, () => {
      this.settler.touchFrontier()
      this.#tellIdlers()
    })
    this.settler = new Settler(
      store,
      setup.platform,
      setup.log,
      this.#frontier,
      () => this.dispatch.wake(),
      () => this.#tellIdlers(),
    )
    this.ingest = new Ingest(store, setup.limits, setup.platform, () => this.dispatch.wake())
  }

  get isUnclean(): boolean {
    return this.#records.get(frontierLedger)?.mark !== undefined
  }

  lane(name: string): Lane {
    const lane = this.lanes.get(name)
    if (lane === undefined) throw this.unknown(name)
    return lane
  }

  unknown(name: string): AppError {
    const names = [...this.lanes.keys(), ...this.retired.map(({ subscription }) => subscription)].sort()
    const near = nearest(name, names)
    const hint = near === undefined ? '' : ` Did you mean ${near}?`
    return new AppError(
      'subscription-unknown',
      `there is no subscription ${name}.${hint} There are: ${names.join(', ') || 'none'}`,
    )
  }

  async start(): Promise<void> {
    this.#letGo = this.#setup.keepAlive()
    for (const lane of this.lanes.values()) await lane.setup.sink?.open?.(lane.setup.context)
    for (const lane of this.lanes.values())
      for (const { stage } of lane.setup.stages) await stage.open?.(lane.setup.context)
    const { isUnclean } = this
    await this.store.mark(frontierLedger, 0, this.#frontier.epoch, { upTo: this.store.head() })
    for (const lane of this.lanes.values()) {
      const record = this.#records.get(lane.name)!
      if (isUnclean && lane.setup.runsUserCode && record.mark !== undefined)
        this.quarantine.suspect(lane, Math.min(record.mark.upTo, this.store.head()))
      await recover(lane, record, isUnclean)
    }
    // Until here the marks are those of the process before: a start that fails leaves them for the next one.
    this.#isStarted = true
    for (const lane of this.lanes.values()) {
      if (lane.ledger.state === 'running') this.resume(lane)
    }
    this.dispatch.start()
    this.#startLoops()
    for (const { name, isPassive, create } of this.#setup.sources) {
      if (isPassive) {
        this.sources.push({ name, isPassive, counts: this.ingest.doorCounts })
        continue
      }
      const source = create()
      this.#madeSources.push(source)
      this.sources.push(runSource(name, source, this))
    }
    if (this.retired.length > 0) {
      const names = this.retired.map(({ subscription }) => subscription).join(', ')
      this.log.warn(
        `the store has subscriptions that the configuration does not name: ${names}. They keep their place and hold back retention until dropped (millrace subscriptions drop NAME)`,
      )
    }
  }

  resume(lane: Lane): void {
    this.dispatch.join(lane)
    lane.nudge()
  }

  /** Fresh facts from the store for status and metrics. */
  async observe(): Promise<void> {
    await this.settler.flush()
    const records = await this.store.ledgers()
    for (const record of records) {
      const lane = this.lanes.get(record.subscription)
      if (lane !== undefined) this.observed.set(lane.name, await observe(this.store, lane, record.lowestRow))
    }
  }

  /** Resolves when nothing is left to do now: waiting retries do not count. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idlers.add(resolve)
      this.settler.touchFrontier()
      this.#tellIdlers()
    })
  }

  async stop(deadlineMs: number): Promise<void> {
    this.ingest.isStopping = true
    const deadline = alarm(this.platform, deadlineMs)
    const end = alarm(this.platform, deadlineMs + closeMs)
    const stopping = this.services.stop(deadline.rings)
    this.dispatch.stop()
    for (const lane of this.lanes.values()) lane.isStopping = true
    await this.#attemptsEnd(deadline)
    for (const lane of this.lanes.values()) lane.abortAttempts(new Error('the pipeline is stopping'))
    await stopping
    for (const lane of this.lanes.values()) lane.due.stop()
    await quietly(this.log, 'writing the ledgers', end, () => this.settler.flush())
    if (!end.hasRung) await quietly(this.log, 'clearing the marks of a running process', end, () => this.#clearMarks())
    await closePlugins(this.log, end, this.#madeSources, [...this.lanes.values()])
    deadline.cancel()
    end.cancel()
    for (const resolve of this.#idlers) resolve()
    await this.store.close()
    this.#letGo()
  }

  async #clearMarks(): Promise<void> {
    if (!this.#isStarted) return
    const running = [...this.lanes.values()].some(({ active }) => active > 0)
    if (running) return
    for (const lane of this.lanes.values())
      if (lane.setup.runsUserCode) await this.store.mark(lane.name, 0, lane.epoch, null)
    await this.store.mark(frontierLedger, 0, this.#frontier.epoch, null)
  }

  async #attemptsEnd(deadline: Alarm): Promise<void> {
    while (!deadline.hasRung && [...this.lanes.values()].some(({ active }) => active > 0)) {
      await new Promise<void>((resolve) => this.platform.after(2, resolve))
    }
  }

  #tellIdlers(): void {
    if (this.#idlers.size === 0) return
    const isIdle =
      this.dispatch.isCaughtUp &&
      this.settler.isClean &&
      [...this.lanes.values()].every((lane) => !lane.isRunning || (lane.isIdle && !lane.due.isLoading))
    if (!isIdle) return
    for (const resolve of this.#idlers) resolve()
    this.#idlers.clear()
  }

  #startLoops(): void {
    const { services, platform } = this
    const { retention, dedupMs, historyMs } = this.#setup
    const lanes = (): Lane[] => [...this.lanes.values()]
    services.every('retention', retentionEveryMs, () =>
      retain(this.store, retention, { nowMs: platform.clock.now(), dedupMs, historyMs }, (upTo) => this.#lose(upTo)),
    )
    services.every('dead letters', tendEveryMs, () => tendDead(lanes(), platform))
    services.every('observe', observeEveryMs, () => this.observe())
  }

  async #lose(upTo: Sequence): Promise<void> {
    for (const lane of this.lanes.values()) {
      if (lane.examined >= upTo) continue
      this.dispatch.leave(lane)
      lane.loseUpTo(upTo)
      if (lane.ledger.state === 'running') this.resume(lane)
    }
    await this.settler.flush()
  }

  async #makeLanes(records: ReadonlyMap<string, LedgerRecord>): Promise<void> {
    for (const [name, record] of records) this.#records.set(name, record)
    const frontier = records.get(frontierLedger)!.examined
    for (const spec of this.#setup.subscriptions) {
      const record = records.get(spec.policy.name)!
      const examined = record.follows ? Math.max(record.examined, frontier) : record.examined
      const context: PluginContext = {
        name: spec.policy.name,
        log: this.log,
        clock: this.platform.clock,
        signal: this.services.signal,
      }
      const lane = new Lane(
        {
          policy: spec.policy,
          ledger: new Ledger({ ...record, examined }),
          epoch: record.epoch,
          stages: (await spec.createStages()).map(({ name, stage, concurrency, timeoutMs }) => ({
            name,
            stage,
            places: new Places(concurrency),
            calls: new Calls(this.platform, timeoutMs ?? spec.policy.timeoutMs),
          })),
          sink: spec.createSink(),
          sinkName: spec.sinkName,
          batch: spec.batch,
          runsUserCode: spec.runsUserCode,
          context,
        },
        {
          store: this.store,
          platform: this.platform,
          log: this.log,
          settler: () => this.settler,
          quarantine: this.quarantine,
          onRoom: (roomy) => this.dispatch.join(roomy),
        },
      )
      this.lanes.set(lane.name, lane)
      if (spec.runsUserCode) this.quarantine.know(lane)
    }
    this.retired = await retire(this.store, new Set(this.lanes.keys()), frontier, this.platform.id())
  }
}
