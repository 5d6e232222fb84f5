import type { ListeningAddress } from './core/egress.ts'
import { AppError } from './core/errors.ts'
import { formatIssue } from './core/issues.ts'
import { compilePatterns } from './core/match.ts'
import type { SubscriptionPolicy } from './core/plan.ts'
import type { Log, Platform } from './core/platform.ts'
import { type Catalogue, createCatalogue } from './plugin/catalogue.ts'
import type { CreateContext, SinkDeclaration } from './plugin/define.ts'
import type { EventSchemas } from './plugin/event-schemas.ts'
import { foldVersionOf } from './plugin/fold-version.ts'
import { checkPipeline, hasLedger, type PipelinePlan, type SubscriptionPlan } from './plugin/pipeline-config.ts'
import { nodePlatform } from './plugin/platform.ts'
import { createRunTimeCheck, sinkWarnings } from './plugin/run-time-config.ts'
import { createSecretBox } from './plugin/secret-box.ts'
import { type KeyEnvironment, secretKeyRing } from './plugin/secret-keys.ts'
import type { CheckedUse } from './plugin/slots.ts'
import type { EventTypes, IfDeclared, InputOf, StreamInputOf, TypedPipelineConfig } from './plugin/typed-config.ts'
import type { Pipeline, PublishResult } from './runtime/api.ts'
import { Engine } from './runtime/engine.ts'
import type { EngineSetup, RunTimeSetup, SubscriptionSpec, ViewSpec } from './runtime/setup.ts'
import type { Appended, AppendOptions } from './runtime/streams/face.ts'
import { createUpcasting } from './runtime/upcasting.ts'

/** A pipeline whose types of event are declared: only those are published, with their data. */
export interface TypedPipeline<Types extends EventTypes> extends Omit<Pipeline, 'publish' | 'emit' | 'append'> {
  publish(event: InputOf<Types>): Promise<PublishResult>
  publish(events: readonly InputOf<Types>[]): Promise<readonly PublishResult[]>
  emit(event: InputOf<Types>): boolean
  append(stream: string, events: readonly StreamInputOf<Types>[], options: AppendOptions): Promise<Appended>
}

/** A pipeline, typed by what its configuration declares. */
export type PipelineOf<Types extends EventTypes> = IfDeclared<Types, TypedPipeline<Types>, Pipeline>

/** What a pipeline may be given beside its configuration. */
export interface PipelineOptions {
  /** Where warnings and errors go. Default: warnings and errors as lines on stderr. */
  readonly log?: Log | undefined
  /** Clock, timers, randomness. Default: the process's own. */
  readonly platform?: Platform | undefined
  /**
   * Plug-ins that the configuration may name by `type`, and sinks that `subscribe` may use: what is stored is made again
   * with them after a restart. Default: none; in code, values are passed.
   */
  readonly catalogue?: Catalogue | undefined
  /** What relative paths are relative to. Default: the working directory. */
  readonly directory?: string | undefined
  /** Where the key of stored secrets may be: `MILLRACE_SECRET_KEY`, `MILLRACE_SECRET_KEY_FILE`. Default: the process's own. */
  readonly env?: Partial<KeyEnvironment> | undefined
  /** Pause between looks at what changes slowly, dead letters among it, milliseconds. Default: 10 to 30 seconds. */
  readonly upkeepMs?: number | undefined
  /** Where this process listens: outbound HTTP never goes there, so that no pipeline feeds itself. */
  readonly listening?: (() => readonly ListeningAddress[]) | undefined
}

/**
 * Makes a pipeline and starts it: opens the store, takes its ledgers, starts sources and deliveries.
 * Throws `config-invalid` with every problem of the configuration, or a `store-…` error when the store cannot be opened.
 *
 * @example
 * await using pipeline = await openPipeline({ store: sqlite({ path: 'events.db' }), subscriptions: { log: { sink: consoleSink() } } })
 * await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: { total: 120 } })
 */
export async function openPipeline<
  Types extends EventTypes = EventTypes,
  Patterns extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>,
>(config: TypedPipelineConfig<Types, Patterns>, options: PipelineOptions = {}): Promise<PipelineOf<Types>> {
  const pipeline = createPipeline(config, options)
  try {
    await pipeline.start()
  } catch (error) {
    // Nobody else has the pipeline to close it, and its store is locked.
    await pipeline.stop()
    throw error
  }
  return pipeline
}

/** As `openPipeline`, but starts nothing: call `start()`, or `open()` to look without delivering. */
export function createPipeline<
  Types extends EventTypes = EventTypes,
  Patterns extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>,
>(config: TypedPipelineConfig<Types, Patterns>, options: PipelineOptions = {}): PipelineOf<Types> {
  const catalogue = options.catalogue ?? createCatalogue([])
  const checked = checkPipeline(config, catalogue, {
    directory: options.directory ?? '.',
    platform: options.platform ?? nodePlatform,
  })
  if (!checked.ok) {
    throw new AppError('config-invalid', `the pipeline was not made: ${checked.issues.map(formatIssue).join('; ')}`, {
      facts: { issues: checked.issues },
    })
  }
  return pipelineFromPlan(checked.plan, { ...options, catalogue }) as PipelineOf<Types>
}

/** A pipeline of a configuration that is already checked (the server and the command line read files). */
export function pipelineFromPlan(plan: PipelinePlan, options: PipelineOptions = {}): Pipeline {
  return new Engine(setupOf(plan, options))
}

function setupOf(
  plan: PipelinePlan,
  {
    log = stderrLog,
    platform = nodePlatform,
    directory = '.',
    listening,
    catalogue = createCatalogue([]),
    env = process.env,
    upkeepMs,
  }: PipelineOptions,
): EngineSetup {
  const context = { directory, platform, egress: { ...plan.egress, own: listening } }
  return {
    platform,
    log,
    limits: { dataBytes: plan.limits.bodyBytes, depth: plan.limits.depth },
    schemas: plan.schemas,
    isStreamed: plan.streams.length === 0 ? undefined : compilePatterns(plan.streams),
    warnBytes: plan.limits.warnBytes,
    retention: plan.retention,
    dedupMs: plan.dedupMs,
    historyMs: plan.historyMs,
    upkeepMs,
    openStore: () => plan.store.declaration.open(plan.store.options, context),
    sources: plan.sources.map(({ name, declaration, options, debounce }) => ({
      name,
      debounce,
      isPassive: declaration.isPassive === true,
      receives: declaration.receives === true,
      create: () => declaration.create(options, context),
    })),
    subscriptions: plan.subscriptions.filter(hasLedger).map((each) => laneSpec(each, context, plan.schemas)),
    attempts: plan.limits.attempts,
    views: plan.subscriptions.flatMap((each) => viewSpec(each, plan.schemas) ?? []),
    runTime: runTimeOf(catalogue, { ...context, isShared: true }, env, plan.schemas),
    taps: plan.subscriptions.flatMap(({ policy, sink, tap }) => {
      if (tap === undefined) return []
      const createSink = () => sink?.declaration.create(sink.options, { ...context, concurrency: policy.concurrency })
      const see = createUpcasting(plan.schemas, policy.pins)
      return [
        {
          policy: see === undefined ? policy : withoutIndex(policy),
          sinkName: sink?.declaration.name,
          buffer: tap.buffer,
          see,
          createSink,
        },
      ]
    }),
    keepAlive: () => {
      const timer = setInterval(() => undefined, 2 ** 30)
      return () => clearInterval(timer)
    },
    createHandler: async (pipeline) => {
      const { createHandler } = await import('./server/index.ts')
      return createHandler(pipeline, { limits: plan.limits, mask: plan.server.mask })
    },
  }
}

function laneSpec(plan: SubscriptionPlan, context: CreateContext, schemas: EventSchemas): SubscriptionSpec {
  const { policy, stages, sink, isPaused } = plan
  const see = createUpcasting(schemas, policy.pins)
  return {
    policy: see === undefined ? policy : withoutIndex(policy),
    see,
    isPaused,
    sinkName: sink?.declaration.name,
    ...batchOf(sink),
    batches: sink?.declaration.batches?.(sink.options),
    runsUserCode: sink?.declaration.runsUserCode === true || stages.some(({ runsUserCode }) => runsUserCode),
    isSinkSingle: sink?.declaration.isSingle,
    foldVersion: foldVersionOf(plan),
    createSink: () => sink?.declaration.create(sink.options, { ...context, concurrency: policy.concurrency }),
    createStages: () =>
      Promise.all(
        stages.map(async ({ name, concurrency, buffer, timeoutMs, retry, isPure, create }) => ({
          name,
          concurrency,
          buffer,
          timeoutMs,
          retry,
          isPure,
          stage: await create(context),
        })),
      ),
  }
}

/** What the log has may not be what `where` sees: no index over stored values can answer for it. */
function withoutIndex(policy: SubscriptionPolicy): SubscriptionPolicy {
  const { where } = policy
  if (where?.only === undefined) return policy
  const { text } = where
  return {
    ...policy,
    where: { text, test: (event) => where.test(event), explain: (event) => where.explain(event) },
  }
}

function runTimeOf(
  catalogue: Catalogue,
  context: CreateContext,
  env: Partial<KeyEnvironment>,
  schemas: EventSchemas,
): RunTimeSetup {
  return {
    check: createRunTimeCheck(catalogue),
    refusals: (plan) => sinkWarnings(plan, context),
    sinkOf: ({ sink }) => catalogue.find('sink', String((sink as { readonly type?: unknown } | undefined)?.type)),
    specOf: (plan) =>
      hasLedger(plan) ? { lane: laneSpec(plan, context, schemas) } : { view: viewSpec(plan, schemas) },
    secrets: createSecretBox(secretKeyRing(context.directory, env)),
  }
}

/** Deliveries per call: by the sink's options, or as the sink declares. */
function batchOf(sink: CheckedUse<SinkDeclaration> | undefined): { batch: number; batchWaitMs?: number } {
  const chosen = sink?.declaration.batchOf?.(sink.options)
  return chosen === undefined
    ? { batch: sink?.declaration.batch ?? 1 }
    : { batch: chosen.size, batchWaitMs: chosen.waitMs }
}

function viewSpec({ policy, sink }: SubscriptionPlan, schemas: EventSchemas): ViewSpec | undefined {
  const settings = sink?.declaration.served === 'view' ? sink.declaration.view?.(sink.options) : undefined
  return settings === undefined
    ? undefined
    : { policy, sinkName: sink!.declaration.name, settings, see: createUpcasting(schemas, policy.pins) }
}

const stderrLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, fields) => writeLine('warning', message, fields),
  error: (message, fields) => writeLine('error', message, fields),
}

function writeLine(level: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  const facts = Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`
  process.stderr.write(`millrace ${level}: ${JSON.stringify(message).slice(1, -1)}${facts}\n`)
}
