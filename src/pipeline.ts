import { AppError } from './core/errors.ts'
import { formatIssue } from './core/issues.ts'
import type { Log, Platform } from './core/platform.ts'
import { type Catalogue, createCatalogue } from './plugin/catalogue.ts'
import { checkPipeline, type PipelineConfig, type PipelinePlan } from './plugin/pipeline-config.ts'
import { nodePlatform } from './plugin/platform.ts'
import type { Pipeline } from './runtime/api.ts'
import { Engine } from './runtime/engine.ts'
import type { EngineSetup } from './runtime/setup.ts'

/** What a pipeline may be given beside its configuration. */
export interface PipelineOptions {
  /** Where warnings and errors go. Default: warnings and errors as lines on stderr. */
  readonly log?: Log | undefined
  /** Clock, timers, randomness. Default: the process's own. */
  readonly platform?: Platform | undefined
  /** Plug-ins that the configuration may name by `type`. Default: none; in code, values are passed. */
  readonly catalogue?: Catalogue | undefined
  /** What relative paths are relative to. Default: the working directory. */
  readonly directory?: string | undefined
}

/**
 * Makes a pipeline and starts it: opens the store, takes its ledgers, starts sources and deliveries.
 * Throws `config-invalid` with every problem of the configuration, or a `store-…` error when the store cannot be opened.
 *
 * @example
 * await using pipeline = await openPipeline({ store: sqlite({ path: 'events.db' }), subscriptions: { log: { sink: consoleSink() } } })
 * await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: { total: 120 } })
 */
export async function openPipeline(config: PipelineConfig, options: PipelineOptions = {}): Promise<Pipeline> {
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
export function createPipeline(config: PipelineConfig, options: PipelineOptions = {}): Pipeline {
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
  return pipelineFromPlan(checked.plan, options)
}

/** A pipeline of a configuration that is already checked (the server and the command line read files). */
export function pipelineFromPlan(plan: PipelinePlan, options: Omit<PipelineOptions, 'catalogue'> = {}): Pipeline {
  return new Engine(setupOf(plan, options))
}

function setupOf(
  plan: PipelinePlan,
  { log = stderrLog, platform = nodePlatform, directory = '.' }: PipelineOptions,
): EngineSetup {
  const context = { directory, platform }
  return {
    platform,
    log,
    limits: { dataBytes: plan.limits.bodyBytes, depth: plan.limits.depth },
    retention: plan.retention,
    dedupMs: plan.dedupMs,
    historyMs: plan.historyMs,
    openStore: () => plan.store.declaration.open(plan.store.options, context),
    sources: plan.sources.map(({ name, declaration, options }) => ({
      name,
      isPassive: declaration.isPassive === true,
      create: () => declaration.create(options, context),
    })),
    subscriptions: plan.subscriptions.map(({ policy, stages, sink, isPaused }) => ({
      policy,
      isPaused,
      sinkName: sink?.declaration.name,
      batch: sink?.declaration.batch ?? 1,
      runsUserCode: sink?.declaration.runsUserCode === true || stages.some(({ runsUserCode }) => runsUserCode),
      createSink: () => sink?.declaration.create(sink.options, { ...context, concurrency: policy.concurrency }),
      createStages: () =>
        Promise.all(
          stages.map(async ({ name, concurrency, timeoutMs, create }) => ({
            name,
            concurrency,
            timeoutMs,
            stage: await create(),
          })),
        ),
    })),
    keepAlive: () => {
      const timer = setInterval(() => undefined, 2 ** 30)
      return () => clearInterval(timer)
    },
    createHandler: async (pipeline) => {
      const { createHandler } = await import('./server/index.ts')
      return createHandler(pipeline, { limits: plan.limits })
    },
  }
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
