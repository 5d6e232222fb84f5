import { parseDuration } from '../core/duration.ts'
import { AppError } from '../core/errors.ts'
import type { EventInput, EventRecord, Sequence } from '../core/event.ts'
import type { EventLimits } from '../core/event-check.ts'
import type { Log } from '../core/platform.ts'
import { type EventSchemas, noSchemas } from '../plugin/event-schemas.ts'
import type { SubscriptionConfig } from '../plugin/pipeline-schema.ts'
import type { IngestResult, ReceivedRequest } from '../plugin/source.ts'
import type { StateReader } from '../plugin/state.ts'
import type { DeadQuery, Store } from '../plugin/store.ts'
import type {
  AuditReport,
  Explanation,
  Health,
  LogView,
  Pipeline,
  PipelineStats,
  PublishResult,
  Reception,
  RunOptions,
  Selection,
  SubscriptionStatus,
} from './api.ts'
import { auditStore } from './audit.ts'
import type { Batches } from './batches.ts'
import { discardSelected, listDead, redriveSelected } from './dead-letters.ts'
import { explainEvent } from './explain-event.ts'
import { healthOf } from './health.ts'
import { freshStatus, freshStatuses } from './observing.ts'
import { Opened } from './opened.ts'
import { batchesOf } from './pull/batches-of.ts'
import { redriveQuarantined } from './quarantined.ts'
import type { RebuildDesk } from './rebuild/face.ts'
import { receiveRequest } from './receive.ts'
import type { ReplayDesk } from './replay/face.ts'
import { runToEnd } from './run.ts'
import type { Expected, RotatedSecret, Subscribed, TestDelivery } from './run-time/face.ts'
import type { EngineSetup } from './setup.ts'
import { keepingStages, readState } from './state/state.ts'
import { pipelineStats, statusNow } from './stats.ts'
import type { AppendOptions, ReadStreamOptions, StreamDesk, StreamEventInput, Until } from './streams/face.ts'
import { createStreams } from './streams/streams.ts'
import { dropRetired, pauseLane, resumeLane } from './switches.ts'
import { Taps } from './taps.ts'
import { sendTest } from './test-delivery.ts'
import { notOpen, wasStopped } from './unusable.ts'

/** How long a stop waits for attempts under way when nobody says otherwise. */
const defaultDeadlineMs = 10_000

/** The running pipeline: every face of it (library, HTTP, CLI) is one of these methods. */
export class Engine implements Pipeline {
  readonly #setup: EngineSetup
  #opened: Opened | undefined
  #opening: Promise<void> | undefined
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  readonly #stopBegins = Promise.withResolvers<undefined>()
  readonly #log: Log
  /** They take what is emitted before the start, too. */
  readonly #taps: Taps
  readonly eventSchemas: EventSchemas
  readonly #streams: StreamDesk
  #handler: ((request: Request) => Promise<Response>) | undefined

  constructor(setup: EngineSetup) {
    this.#setup = setup
    this.eventSchemas = setup.schemas ?? noSchemas
    this.#log = setup.log
    this.#taps = new Taps(setup.taps ?? [], setup.limits, setup.platform, setup.log)
    this.#streams = createStreams(setup, () => this.#live)
  }

  get reservedSources(): ReadonlySet<string> {
    const { sources } = this.#setup
    return new Set(sources.filter(({ isPassive, receives }) => !isPassive || receives === true).map(({ name }) => name))
  }

  get limits(): EventLimits {
    return this.#setup.limits
  }

  get store(): Store {
    return this.#live.store
  }

  get #live(): Opened {
    if (this.#opened === undefined) throw notOpen('using the pipeline')
    return this.#opened
  }

  readonly redriveQuarantined = async (sequence: Sequence) => redriveQuarantined(this.#live, sequence)

  readonly handler = async (request: Request): Promise<Response> => {
    this.#handler ??= await this.#setup.createHandler(this)
    return this.#handler(request)
  }

  open(): Promise<void> {
    if (this.#opening === undefined && this.#stopping !== undefined) return wasStopped('opening')
    this.#opening ??= Opened.open(this.#setup, this.#taps).then((opened) => {
      this.#opened = opened
    })
    return this.#opening
  }

  start(): Promise<void> {
    if (this.#stopping !== undefined) return wasStopped('starting')
    this.#starting ??= this.open().then(() => this.#live.start())
    return this.#starting
  }

  run(options: RunOptions = {}): Promise<PipelineStats> {
    if (this.#stopping !== undefined) return wasStopped('running')
    const end = () => Promise.race([this.#stopBegins.promise, this.#live.settler.lost.promise])
    return runToEnd(this, end, options)
  }

  publish(event: EventInput): Promise<PublishResult>
  publish(events: readonly EventInput[]): Promise<readonly PublishResult[]>
  publish(events: EventInput | readonly EventInput[]): Promise<PublishResult | readonly PublishResult[]> {
    if (this.#opened === undefined) return Promise.reject(notOpen('publishing'))
    const { ingest } = this.#opened
    return Array.isArray(events) ? ingest.publishMany(events) : ingest.publishOne(events as EventInput)
  }

  async ingest(records: readonly EventRecord[]): Promise<readonly IngestResult[]> {
    return this.#live.ingest.ingest(records)
  }

  countRefused = (events: number): void => this.#live.ingest.countRefused(events)

  async receive(source: string, request: ReceivedRequest): Promise<Reception> {
    return receiveRequest(this.#live, source, request)
  }

  append(stream: string, events: readonly StreamEventInput[], options: AppendOptions) {
    return this.#streams.append(stream, events, options)
  }

  appendRecords(stream: string, records: readonly EventRecord[], options: AppendOptions) {
    return this.#streams.appendRecords(stream, records, options)
  }

  readStream(stream: string, options?: ReadStreamOptions) {
    return this.#streams.readStream(stream, options)
  }

  streamVersion(stream: string, until?: Until) {
    return this.#streams.streamVersion(stream, until)
  }

  get snapshots() {
    return this.#streams.snapshots
  }

  emit(event: EventInput): boolean {
    return this.#taps.emit(event)
  }

  stats(): PipelineStats {
    return pipelineStats(this.#live, this.#taps)
  }

  async health(): Promise<Health> {
    return healthOf(this.#live, this.#stopping !== undefined)
  }

  async subscriptions(): Promise<readonly SubscriptionStatus[]> {
    return freshStatuses(this.#live, this.#taps)
  }

  async subscription(name: string): Promise<SubscriptionStatus> {
    return freshStatus(this.#live, this.#taps, name)
  }

  view(name: string): LogView {
    return this.#live.view(name)
  }

  batches(name: string): Batches {
    return batchesOf(this.#live.lane(name))
  }

  async pause(name: string): Promise<void> {
    return pauseLane(this.#live, name)
  }

  async resume(name: string): Promise<void> {
    return resumeLane(this.#live, name)
  }

  async dead(name: string, query: DeadQuery) {
    return listDead(this.#live, name, query)
  }

  async redrive(name: string, selection: Selection): Promise<{ readonly redriven: number }> {
    return { redriven: await redriveSelected(this.#live, name, selection) }
  }

  async discard(name: string, selection: Selection): Promise<{ readonly discarded: number }> {
    return { discarded: await discardSelected(this.#live, name, selection) }
  }

  readonly replay: ReplayDesk['replay'] = async (...args) => (await this.#settled()).replays.replay(...args)
  readonly dryRunReplay: ReplayDesk['dryRunReplay'] = async (...args) => this.#live.replays.dryRunReplay(...args)
  readonly replays: ReplayDesk['replays'] = async (name) => this.#live.replays.replays(name)
  readonly replayStatus: ReplayDesk['replayStatus'] = async (...args) => this.#live.replays.replayStatus(...args)
  readonly controlReplay: ReplayDesk['controlReplay'] = async (...args) =>
    (await this.#settled()).replays.controlReplay(...args)

  readonly rebuild: RebuildDesk['rebuild'] = async (...args) => (await this.#settled()).rebuilds.rebuild(...args)
  readonly rebuildStatus: RebuildDesk['rebuildStatus'] = (name) => this.#live.rebuilds.rebuildStatus(name)
  readonly rebuilt: RebuildDesk['rebuilt'] = async (name) => this.#live.rebuilds.rebuilt(name)
  readonly controlRebuild: RebuildDesk['controlRebuild'] = async (...args) =>
    (await this.#settled()).rebuilds.controlRebuild(...args)

  state<Value>(name: string, stage?: string): StateReader<Value> {
    return readState(this.#live, name, stage)
  }

  async stateStages(name: string): Promise<readonly string[]> {
    return keepingStages(this.#live, name)
  }

  async subscribe(name: string, config: SubscriptionConfig, expected?: Expected): Promise<Subscribed> {
    const { desk } = await this.#settled()
    const made = await desk.subscribe(name, config, expected)
    return { ...made, subscription: statusNow(this.#live, name)! }
  }

  async unsubscribe(name: string, expected?: Expected): Promise<void> {
    await (await this.#settled()).desk.unsubscribe(name, expected)
  }

  async configOf(name: string) {
    return this.#live.desk.configOf(name)
  }

  async rotateSecret(name: string, options: Parameters<Pipeline['rotateSecret']>[1] = {}): Promise<RotatedSecret> {
    return (await this.#settled()).desk.rotateSecret(name, options)
  }

  async testDelivery(name: string): Promise<TestDelivery> {
    return sendTest(this.#live.lane(name))
  }

  async rotateSecretKey() {
    return this.#live.desk.rotateKey()
  }

  /** A start that is under way has ended: lanes come to work in one way or the other. */
  async #settled(): Promise<Opened> {
    await this.#starting?.catch(() => undefined)
    return this.#live
  }

  async drop(name: string): Promise<void> {
    return dropRetired(this.#live, name)
  }

  async explain(sequence: Sequence, subscription?: string): Promise<Explanation> {
    return explainEvent(this.#live, sequence, subscription)
  }

  async audit(): Promise<AuditReport> {
    await this.#live.settler.flush()
    return auditStore(this.#live.store)
  }

  async idle(): Promise<void> {
    return this.#live.idle()
  }

  stop(options: { readonly deadline?: string | undefined } = {}): Promise<void> {
    const { deadline } = options
    const parsed = deadline === undefined ? undefined : parseDuration(deadline)
    if (parsed !== undefined && !parsed.ok)
      return Promise.reject(new AppError('usage', `stopping with deadline ${deadline} failed: ${parsed.problem}`))
    this.#stopBegins.resolve(undefined)
    this.#stopping ??= this.#stop(parsed?.ms ?? defaultDeadlineMs)
    return this.#stopping
  }

  async #stop(deadlineMs: number): Promise<void> {
    await this.#opening?.catch(() => undefined)
    // Opened or not, what is emitted from now on is dropped and counted.
    if (this.#opened === undefined) await this.#taps.stop(Promise.resolve())
    await this.#opened?.stop(deadlineMs)
    this.#log.debug('the pipeline has stopped')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
