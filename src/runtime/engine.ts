import { parseDuration } from '../core/duration.ts'
import { AppError } from '../core/errors.ts'
import type { EventInput, EventRecord, Sequence } from '../core/event.ts'
import type { EventLimits } from '../core/event-check.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { IngestResult } from '../plugin/source.ts'
import type { DeadQuery, Store } from '../plugin/store.ts'
import type {
  AuditReport,
  Explanation,
  Health,
  Pipeline,
  PipelineStats,
  PublishResult,
  Selection,
  SubscriptionStatus,
} from './api.ts'
import { auditStore } from './audit.ts'
import { explainDelivery } from './explain.ts'
import { healthOf } from './health.ts'
import { Opened } from './opened.ts'
import { discardDead, redriveDead, selectionQuery } from './operations.ts'
import type { EngineSetup } from './setup.ts'
import { formatStats } from './stats-table.ts'
import { laneStatus, retiredStatus } from './status.ts'

/** How long a stop waits for attempts under way when nobody says otherwise. */
const defaultDeadlineMs = 10_000

/** The running pipeline: every face of it (library, HTTP, CLI) is one of these methods. */
export class Engine implements Pipeline {
  readonly #setup: EngineSetup
  #opened: Opened | undefined
  #opening: Promise<void> | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  readonly #platform: Platform
  readonly #log: Log
  #handler: ((request: Request) => Promise<Response>) | undefined
  emitDropped = 0

  constructor(setup: EngineSetup) {
    this.#setup = setup
    this.#platform = setup.platform
    this.#log = setup.log
  }

  get reservedSources(): ReadonlySet<string> {
    return new Set(this.#setup.sources.filter(({ isPassive }) => !isPassive).map(({ name }) => name))
  }

  get limits(): EventLimits {
    return this.#setup.limits
  }

  get store(): Store {
    return this.#live.store
  }

  get #live(): Opened {
    if (this.#opened === undefined)
      throw new AppError('state-conflict', 'using the pipeline failed: it is not open; call open() or start() first')
    return this.#opened
  }

  readonly handler = async (request: Request): Promise<Response> => {
    this.#handler ??= await this.#setup.createHandler(this)
    return this.#handler(request)
  }

  open(): Promise<void> {
    this.#opening ??= Opened.open(this.#setup).then((opened) => {
      this.#opened = opened
    })
    return this.#opening
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined)
      return Promise.reject(new AppError('stopping', 'starting the pipeline failed: it was stopped; make a new one'))
    this.#starting ??= this.open().then(() => this.#live.start())
    return this.#starting
  }

  publish(event: EventInput): Promise<PublishResult>
  publish(events: readonly EventInput[]): Promise<readonly PublishResult[]>
  publish(events: EventInput | readonly EventInput[]): Promise<PublishResult | readonly PublishResult[]> {
    const { ingest } = this.#live
    return Array.isArray(events) ? ingest.publishMany(events) : ingest.publishOne(events as EventInput)
  }

  ingest(records: readonly EventRecord[]): Promise<readonly IngestResult[]> {
    return this.#live.ingest.ingest(records)
  }

  /** No subscription of this pipeline is best-effort: everything emitted is dropped and counted. */
  emit(_event: EventInput): boolean {
    this.emitDropped += 1
    return false
  }

  stats(): PipelineStats {
    const live = this.#live
    const head = live.store.head()
    const now = this.#platform.clock.now()
    const subscriptions: Record<string, SubscriptionStatus> = {}
    for (const lane of live.lanes.values())
      subscriptions[lane.name] = laneStatus(lane, head, now, live.observed.get(lane.name))
    const sources: Record<string, PipelineStats['sources'][string]> = {}
    for (const source of live.sources) {
      const loop = live.services.loops.get(`source ${source.name}`)
      sources[source.name] = {
        ...source.counts,
        restarts: loop?.restarts ?? 0,
        state: source.isPassive || loop?.alive ? 'running' : 'ended',
        error: loop?.lastError,
      }
    }
    const stats = {
      head,
      durability: live.store.durability,
      uptimeSeconds: (this.#platform.clock.monotonic() - live.openedAt) / 1000,
      published: { ...live.ingest.counts },
      sources,
      subscriptions,
    }
    return Object.defineProperty(stats, 'toString', {
      value: () => formatStats(stats),
      enumerable: false,
    }) as PipelineStats
  }

  health(): Promise<Health> {
    return healthOf(this.#live, this.#stopping !== undefined)
  }

  async subscriptions(): Promise<readonly SubscriptionStatus[]> {
    const live = this.#live
    await live.observe()
    const now = this.#platform.clock.now()
    const head = live.store.head()
    const active = [...live.lanes.values()].map((lane) => laneStatus(lane, head, now, live.observed.get(lane.name)))
    const retired = live.retired.map((record) => retiredStatus(record, live.dispatch.frontier, head))
    return [...active, ...retired].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async subscription(name: string): Promise<SubscriptionStatus> {
    const found = (await this.subscriptions()).find((status) => status.name === name)
    if (found === undefined) throw this.#live.unknown(name)
    return found
  }

  async pause(name: string): Promise<void> {
    const live = this.#live
    const lane = live.lane(name)
    lane.ledger.setState('paused', 'paused by hand')
    live.dispatch.leave(lane)
    live.settler.touch(lane)
    await live.settler.flush()
  }

  async resume(name: string): Promise<void> {
    const live = this.#live
    const lane = live.lane(name)
    lane.ledger.setState('running')
    live.settler.touch(lane)
    await live.settler.flush()
    live.resume(lane)
  }

  async dead(name: string, query: DeadQuery) {
    const live = this.#live
    if (!live.retired.some(({ subscription }) => subscription === name)) live.lane(name)
    await live.settler.flush()
    return live.store.dead(name, query)
  }

  async redrive(name: string, selection: Selection): Promise<{ readonly redriven: number }> {
    return { redriven: await redriveDead(this.#live.lane(name), selectionQuery(selection)) }
  }

  async discard(name: string, selection: Selection): Promise<{ readonly discarded: number }> {
    return { discarded: await discardDead(this.#live.lane(name), selectionQuery(selection)) }
  }

  async drop(name: string): Promise<void> {
    const live = this.#live
    if (live.lanes.has(name))
      throw new AppError(
        'state-conflict',
        `dropping subscription ${name} failed: the configuration still names it; take it out first`,
      )
    const at = live.retired.findIndex(({ subscription }) => subscription === name)
    if (at < 0) throw live.unknown(name)
    await live.store.dropLedger(name)
    live.retired.splice(at, 1)
  }

  async explain(sequence: Sequence, subscription?: string): Promise<Explanation> {
    const live = this.#live
    await live.settler.flush()
    const head = live.store.head()
    if (!Number.isSafeInteger(sequence) || sequence < 1 || sequence > head) {
      throw new AppError('not-found', `explaining event ${sequence} failed: the log ends at ${head}`)
    }
    const [event] = await live.store.readMany([sequence])
    const subjects: (LedgerRecord | Parameters<typeof explainDelivery>[1])[] = [...live.lanes.values(), ...live.retired]
    const wanted =
      subscription === undefined
        ? subjects
        : subjects.filter((s) => ('policy' in s ? s.name : s.subscription) === subscription)
    if (wanted.length === 0 && subscription !== undefined) throw live.unknown(subscription)
    const deliveries = []
    for (const subject of wanted)
      deliveries.push(await explainDelivery(live.store, subject, sequence, event, live.dispatch.frontier))
    return {
      sequence,
      event: event && {
        source: event.source,
        id: event.id,
        type: event.type,
        subject: event.subject,
        time: event.time,
        recordedtime: event.recordedtime,
      },
      deliveries,
    }
  }

  async audit(): Promise<AuditReport> {
    await this.#live.settler.flush()
    return auditStore(this.#live.store)
  }

  idle(): Promise<void> {
    return this.#live.idle()
  }

  stop(options: { readonly deadline?: string | undefined } = {}): Promise<void> {
    const { deadline } = options
    const parsed = deadline === undefined ? undefined : parseDuration(deadline)
    if (parsed !== undefined && !parsed.ok)
      return Promise.reject(new AppError('usage', `stopping with deadline ${deadline} failed: ${parsed.problem}`))
    this.#stopping ??= this.#stop(parsed?.ms ?? defaultDeadlineMs)
    return this.#stopping
  }

  async #stop(deadlineMs: number): Promise<void> {
    await this.#opening?.catch(() => undefined)
    await this.#opened?.stop(deadlineMs)
    this.#log.debug('the pipeline has stopped')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
