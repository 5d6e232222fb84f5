import { AppError, messageOf } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import type { EventLimits } from '../core/event-check.ts'
import { nearest } from '../core/issues.ts'
import { Ledger } from '../core/ledger.ts'
import { type LedgerRecord, type LedgerState, noCounters } from '../core/ledger-state.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Sink } from '../plugin/sink.ts'
import type { PluginContext, Source } from '../plugin/source.ts'
import type { Stage } from '../plugin/stage.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import type { Health, Pipeline } from './api.ts'
import { Dispatch } from './dispatch.ts'
import { Ingest, noCounts } from './ingest.ts'
import { Lane } from './lane.ts'
import { Quarantine } from './quarantine.ts'
import { recover } from './recovery.ts'
import { type OwnedLedger, Settler } from './settler.ts'
import { type RunningSource, runSource } from './source-run.ts'
import { type Observed, observe } from './status.ts'
import { Services } from './supervise.ts'
import { type RetentionPolicy, retain, tendDead } from './upkeep.ts'

/** What an engine is made of: everything checked, nothing opened. */
export interface EngineSetup {
  readonly platform: Platform
  readonly log: Log
  readonly limits: EventLimits
  readonly retention: RetentionPolicy
  readonly dedupMs: number
  readonly historyMs: number
  openStore(): Promise<Store>
  readonly sources: readonly { readonly name: string; readonly isPassive: boolean; create(): Source }[]
  readonly subscriptions: readonly {
    readonly policy: SubscriptionPolicy
    readonly sinkName: string | undefined
    readonly batch: number
    readonly runsUserCode: boolean
    createSink(): Sink | undefined
    createStages(): Promise<readonly { readonly name: string; readonly stage: Stage }[]>
  }[]
  /** Keeps the process alive while the pipeline runs; answers how to let go. */
  keepAlive(): () => void
  createHandler(pipeline: Pipeline): Promise<(request: Request) => Promise<Response>>
}

const retentionEveryMs = 3_600_000
const tendEveryMs = 30_000
const observeEveryMs = 10_000
/** A lane with work and no attempt under way for this long is not progressing. */
const stalledMs = 60_000

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
    this.ingest = new Ingest(store, setup.limits, () => this.dispatch.wake())
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
    this.#isStarted = true
    this.#letGo = this.#setup.keepAlive()
    for (const lane of this.lanes.values()) await lane.setup.sink?.open?.(lane.setup.context)
    for (const lane of this.lanes.values())
      for (const { stage } of lane.setup.stages) await stage.open?.(lane.setup.context)
    const { isUnclean } = this
    await this.store.mark(frontierLedger, 0, this.#frontier.epoch, { upTo: this.store.head() })
    for (const lane of this.lanes.values()) {
      const record = this.#records.get(lane.name)!
      if (isUnclean && lane.setup.runsUserCode && record.mark !== undefined)
        this.quarantine.suspect(lane, record.mark.upTo)
      await recover(lane, record, isUnclean)
    }
    for (const lane of this.lanes.values()) {
      if (lane.ledger.state === 'running') this.resume(lane)
    }
    this.dispatch.wake()
    this.#startLoops()
    for (const { name, isPassive, create } of this.#setup.sources) {
      if (isPassive) {
        this.sources.push({ name, isPassive, counts: noCounts() })
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

  async health(isStopping: boolean): Promise<Health> {
    const problems: string[] = []
    if (isStopping) problems.push('the pipeline is stopping')
    await this.store
      .checkWritable()
      .catch((error: unknown) => problems.push(`the store cannot be written: ${messageOf(error)}`))
    if (this.settler.isFailing) problems.push(`ledgers cannot be written: ${this.settler.lastError ?? ''}`)
    for (const lane of this.lanes.values()) {
      if (lane.stalledForMs > stalledMs)
        problems.push(
          `subscription ${lane.name} has work and made no attempt for ${Math.round(lane.stalledForMs / 1000)} s`,
        )
      if (lane.calls.overdue > 0)
        problems.push(`subscription ${lane.name} has ${lane.calls.overdue} attempts that ignore their timeout`)
    }
    const loops: Record<string, Health['loops'][string]> = {}
    for (const [name, state] of this.services.loops) loops[name] = { ...state }
    loops['dispatch'] = { restarts: this.dispatch.restarts, lastError: this.dispatch.lastError, alive: !isStopping }
    return { ready: problems.length === 0, problems, loops }
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
    let ring: () => void = () => undefined
    const deadline = new Promise<void>((resolve) => {
      ring = resolve
    })
    const timer = this.platform.after(deadlineMs, ring)
    const stopping = this.services.stop(deadline)
    this.dispatch.stop()
    for (const lane of this.lanes.values()) lane.isStopping = true
    await Promise.race([this.#attemptsEnd(), deadline])
    for (const lane of this.lanes.values()) lane.calls.abortAll(new Error('the pipeline is stopping'))
    await stopping
    timer.cancel()
    for (const lane of this.lanes.values()) lane.due.stop()
    for (const source of this.#madeSources) await this.#quietly('closing a source', () => source.close?.())
    await this.settler.flush()
    await this.#quietly('clearing the marks of a running process', () => this.#clearMarks())
    for (const lane of this.lanes.values()) {
      for (const { stage } of lane.setup.stages)
        await this.#quietly(`closing a stage of ${lane.name}`, () => stage.close?.())
      await this.#quietly(`closing the sink of ${lane.name}`, () => lane.setup.sink?.close?.())
    }
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

  async #attemptsEnd(): Promise<void> {
    while ([...this.lanes.values()].some(({ active }) => active > 0)) {
      await new Promise<void>((resolve) => this.platform.after(2, resolve))
    }
  }

  async #quietly(what: string, task: () => void | Promise<void> | undefined): Promise<void> {
    try {
      await task()
    } catch (error) {
      this.log.warn(`${what} failed`, { error: messageOf(error) })
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
          stages: await spec.createStages(),
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
    this.retired = (await this.store.ledgers()).filter(
      ({ subscription }) => subscription !== frontierLedger && !this.lanes.has(subscription),
    )
  }
}

async function openLedgers(store: Store, setup: EngineSetup): Promise<Map<string, LedgerRecord>> {
  const initial = (at: number): LedgerState => ({
    start: at,
    examined: at,
    follows: false,
    pending: [],
    counters: noCounters,
    state: 'running',
  })
  const wanted = [{ subscription: frontierLedger, partition: 0, initial: initial(store.head()) }]
  for (const { policy } of setup.subscriptions) {
    wanted.push({ subscription: policy.name, partition: 0, initial: initial(await startAt(store, policy)) })
  }
  const records = await store.openLedgers(wanted, setup.platform.id())
  return new Map(records.map((record) => [record.subscription, record]))
}

/** The sequence after which a new subscription begins. */
async function startAt(store: Store, { start }: SubscriptionPolicy): Promise<number> {
  switch (start.kind) {
    case 'now':
      return store.head()
    case 'beginning':
      return store.oldest() - 1
    case 'sequence':
      return Math.max(0, Math.min(start.sequence - 1, store.head()))
    case 'time':
      return (await store.sequenceAt(start.timeMs)) - 1
  }
}
