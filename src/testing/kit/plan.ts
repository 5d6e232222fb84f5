import { AppError } from '../../core/errors.ts'
import { formatIssue, type Issue } from '../../core/issues.ts'
import type { Platform } from '../../core/platform.ts'
import { type Catalogue, createCatalogue } from '../../plugin/catalogue.ts'
import type {
  SinkDeclaration,
  SourceDeclaration,
  StageDeclaration,
  StoreDeclaration,
  Use,
} from '../../plugin/define.ts'
import { checkPipeline, type PipelinePlan, type SubscriptionPlan } from '../../plugin/pipeline-config.ts'
import { type CheckedUse, checkOptions } from '../../plugin/slots.ts'
import { memory } from '../../stores/memory.ts'
import { loopbackEgress } from '../loopback-egress.ts'
import { type RecordingSink, recordingSink } from '../recording-sink.ts'
import { type ScriptedSource, scriptedSource } from '../scripted-source.ts'
import { type Doors, sinkBehind, sourceBehind, stageBehind } from './doors.ts'

/** What a test puts in the place of parts of a configuration. */
export interface Replacements {
  /** Where events are kept. Default: in memory, whatever the configuration says. */
  readonly store?: Use<StoreDeclaration> | undefined
  /**
   * `recording`: each subscription's sink only remembers what it is given (`pipeline.sink(name)`); its policy, retries and
   * batches stay those of the real one. `real`: as configured. Or sinks by subscription, the others as by default: `real`
   * for a configuration in code, `recording` for a file.
   */
  readonly sinks?: 'recording' | 'real' | Readonly<Record<string, Use<SinkDeclaration>>> | undefined
  /** The same of sources: `scripted` ones bring in what the test pushes (`pipeline.source(name)`). */
  readonly sources?: 'scripted' | 'real' | Readonly<Record<string, Use<SourceDeclaration>>> | undefined
}

export interface PlanOptions extends Replacements {
  readonly catalogue?: Catalogue | undefined
  readonly directory?: string | undefined
  /** Variables that a configuration file may name. Default: those of the process, and of the `.env` beside the file. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
}

/** A checked configuration with its replacements, and what it was checked with. */
export interface TestPlan {
  readonly plan: PipelinePlan
  readonly catalogue: Catalogue
  readonly directory: string
  readonly sinks: ReadonlyMap<string, RecordingSink>
  readonly sources: ReadonlyMap<string, ScriptedSource>
}

/** Checks a configuration, or the file that has one, and puts replacements in. Throws `config-invalid` with every problem. */
export async function testPlan(config: unknown, platform: Platform, options: PlanOptions): Promise<TestPlan> {
  const isFile = typeof config === 'string'
  const { plan, catalogue, directory } = await (isFile
    ? loadedPlan(config, platform, options)
    : checkedPlan(config, platform, options))
  const sinks = new Map<string, RecordingSink>()
  const sources = new Map<string, ScriptedSource>()
  const sinksOf = chosen(options.sinks, isFile ? 'recording' : 'real')
  const sourcesOf = chosen(options.sources, isFile ? 'scripted' : 'real')
  assertKnown(
    'sinks',
    'subscription',
    sinksOf.named,
    plan.subscriptions.map(({ policy }) => policy.name),
  )
  assertKnown(
    'sources',
    'source',
    sourcesOf.named,
    plan.sources.map(({ name }) => name),
  )

  const subscriptions = plan.subscriptions.map((each): SubscriptionPlan => {
    const { name } = each.policy
    const given = sinksOf.named[name]
    if (given !== undefined) return { ...each, sink: replaced(each.sink, given, `sinks.${name}`) }
    // What clients fetch from sends nothing by itself.
    const isLeft = sinksOf.others === 'real' || each.sink === undefined || each.sink.declaration.served !== undefined
    if (isLeft) return each
    const sink = recordingSink()
    sinks.set(name, sink)
    return { ...each, sink: replaced(each.sink, sink, `sinks.${name}`) }
  })
  const scripted = plan.sources.map((each) => {
    const given = sourcesOf.named[each.name]
    if (given !== undefined) return { ...each, ...replaced(undefined, given, `sources.${each.name}`) }
    if (sourcesOf.others === 'real' || each.declaration.isPassive === true) return each
    const source = scriptedSource()
    sources.set(each.name, source)
    return { ...each, ...replaced(undefined, source, `sources.${each.name}`) }
  })
  const egress = { ...plan.egress, allow: [...plan.egress.allow, ...loopbackEgress.allow] }
  const store = replaced(undefined, options.store ?? memory(), 'store')
  return { plan: { ...plan, store, egress, subscriptions, sources: scripted }, catalogue, directory, sinks, sources }
}

/** The plan as one process has it: its stages and sinks end with that process. */
export function planBehind(plan: PipelinePlan, doors: Doors): PipelinePlan {
  return {
    ...plan,
    sources: plan.sources.map((each) => ({ ...each, declaration: sourceDeclaration(each.declaration, doors) })),
    subscriptions: plan.subscriptions.map((each) => {
      const { name } = each.policy
      const stages = each.stages.map((stage) => ({
        ...stage,
        create: async (context: Parameters<typeof stage.create>[0]) =>
          stageBehind(await stage.create(context), stage.name, name, doors),
      }))
      const sink = each.sink && { ...each.sink, declaration: sinkDeclaration(each.sink.declaration, name, doors) }
      return { ...each, stages, sink }
    }),
  }
}

/** The same of plug-ins that are made while the pipeline runs. */
export function catalogueBehind(catalogue: Catalogue, doors: Doors): Catalogue {
  const stageDeclaration = (declaration: StageDeclaration): StageDeclaration => ({
    ...declaration,
    create: (options, context) => stageBehind(declaration.create(options, context), declaration.name, '', doors),
  })
  return createCatalogue([
    ...catalogue.all('store'),
    ...catalogue.all('source'),
    ...catalogue.all('stage').map(stageDeclaration),
    ...catalogue.all('sink').map((declaration) => sinkDeclaration(declaration, '', doors)),
  ])
}

function sourceDeclaration(declaration: SourceDeclaration, doors: Doors): SourceDeclaration {
  return {
    ...declaration,
    create: (options, context) => sourceBehind(declaration.create(options, context), doors),
  }
}

function sinkDeclaration(declaration: SinkDeclaration, subscription: string, doors: Doors): SinkDeclaration {
  return {
    ...declaration,
    create: (options, context) => sinkBehind(declaration.create(options, context), subscription, doors),
  }
}

type Loaded = Pick<TestPlan, 'plan' | 'catalogue' | 'directory'>

async function loadedPlan(file: string, platform: Platform, { catalogue, env }: PlanOptions): Promise<Loaded> {
  // Loaded only here: with it come all built-in plug-ins.
  const [{ loadConfig }, { builtInCatalogue }] = await Promise.all([
    import('../../config/load.ts'),
    import('../../registry.ts'),
  ])
  const known = catalogue ?? builtInCatalogue
  const readsEnvFile = env === undefined
  const loaded = await loadConfig(file, { env: env ?? process.env, readsEnvFile, catalogue: known, platform })
  if (!loaded.ok) throw invalid(loaded.issues)
  return { plan: loaded.plan, catalogue: known, directory: loaded.directory }
}

async function checkedPlan(config: unknown, platform: Platform, options: PlanOptions): Promise<Loaded> {
  const { catalogue = createCatalogue([]), directory = '.', store = memory() } = options
  const checked = checkPipeline({ ...(config as object), store }, catalogue, { directory, platform })
  if (!checked.ok) throw invalid(checked.issues)
  return { plan: checked.plan, catalogue, directory }
}

function invalid(issues: readonly Issue[]): AppError {
  return new AppError('config-invalid', `the test pipeline was not made: ${issues.map(formatIssue).join('; ')}`, {
    facts: { issues },
  })
}

function chosen<Others extends string, Named>(
  option: Others | Readonly<Record<string, Named>> | undefined,
  others: Others,
): { readonly others: Others; readonly named: Readonly<Record<string, Named>> } {
  return typeof option === 'object' ? { others, named: option } : { others: option ?? others, named: {} }
}

function assertKnown(option: string, kind: string, named: Readonly<Record<string, unknown>>, known: readonly string[]) {
  for (const name of Object.keys(named)) {
    if (known.includes(name)) continue
    const there = known.length === 0 ? 'there is none' : `there are ${known.join(', ')}`
    throw new AppError('config-invalid', `the test pipeline was not made: ${option}.${name} names no ${kind}; ${there}`)
  }
}

/** What was configured, made by another declaration: of a sink, only what it does is another. */
function replaced<D extends SinkDeclaration | SourceDeclaration | StoreDeclaration>(
  before: CheckedUse<D> | undefined,
  given: Use<D>,
  place: string,
): CheckedUse<D> {
  const checked = checkOptions(given.declaration, given.options)
  if (!checked.ok) throw invalid(checked.issues.map((issue) => ({ ...issue, path: [place, ...(issue.path ?? [])] })))
  if (before === undefined) return checked.value
  const create: SinkDeclaration['create'] = (_, context) =>
    (given.declaration as SinkDeclaration).create(checked.value.options as never, context)
  return { ...before, declaration: { ...before.declaration, create } }
}
