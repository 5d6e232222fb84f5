import type { Json } from '../core/event.ts'
import { nearest } from '../core/issues.ts'
import type { Catalogue } from './catalogue.ts'
import { type Checked, check, type SchemaIssue } from './check.ts'
import { subscriptionIssues } from './cross-checks.ts'
import type { CreateContext, JsonOptions, SinkDeclaration } from './define.ts'
import { type SubscriptionPlan, subscriptionPlan } from './pipeline-config.ts'
import { checkingSlots, subscriptionSchema, subscriptionSettings } from './pipeline-schema.ts'
import { isUse, problem } from './slots.ts'
import { nameSchema } from './stage-slot.ts'

/** A subscription that can be made while the pipeline runs: decided, and as it is to be stored. */
export interface RunTimePlan {
  readonly plan: SubscriptionPlan
  readonly sink: SinkDeclaration
  /** As it was written, its sink only by type. */
  readonly config: JsonOptions
  /** The sink's options, completed. */
  readonly options: JsonOptions
  /** A secret that was made, to be shown once. */
  readonly secret?: string | undefined
}

/**
 * Checks one subscription as `checkPipeline` checks all of a configuration, and that it is one that can be stored: JSON,
 * with a sink that says how its options are kept. `before` are the options that are stored for it.
 */
export type RunTimeCheck = (name: string, written: unknown, before?: JsonOptions) => Checked<RunTimePlan>

/** A check with the plug-ins of a catalogue; made once, as it is used for every stored subscription. */
export function createRunTimeCheck(catalogue: Catalogue): RunTimeCheck {
  const schema = subscriptionSchema(checkingSlots(catalogue))
  const known = subscriptionSettings(catalogue)
  return (name, written, before) => {
    const named = check(nameSchema, name)
    if (!named.ok) return named
    const split = splitSink(written, catalogue)
    if (!split.ok) return split
    const { sink, config, options } = split.value
    const completed = sink.atRunTime?.complete?.(options, before) ?? { options }
    const whole = { ...config, sink: { ...completed.options, type: sink.name } }
    const checked = check(schema, whole)
    const issues = [...(checked.ok ? [] : checked.issues), ...subscriptionIssues(whole, catalogue, known)]
    if (!checked.ok || issues.length > 0) return { ok: false, issues }
    const plan = subscriptionPlan(name, checked.value)
    const refused = refusals(plan)
    if (refused.length > 0) return { ok: false, issues: refused }
    return { ok: true, value: { plan, sink, config: { ...config, sink: { type: sink.name } }, ...completed } }
  }
}

/** What the plug-in warns of a subscription that is being made: here it is refused, as somebody is there to read it. */
export function sinkWarnings({ plan: { sink } }: RunTimePlan, context: CreateContext): SchemaIssue[] {
  const found = sink?.declaration.warn?.(sink.options, context) ?? []
  return found.map(({ path, message }) => ({ code: 'config-invalid', path: ['sink', ...path], message }))
}

interface Split {
  readonly sink: SinkDeclaration
  readonly config: Readonly<Record<string, Json>>
  readonly options: JsonOptions
}

function splitSink(written: unknown, catalogue: Catalogue): Checked<Split> {
  if (!isMapping(written)) return problem('a mapping of settings is needed')
  const { sink: given, ...rest } = written
  const available = catalogue
    .all('sink')
    .filter(({ atRunTime }) => atRunTime !== undefined)
    .map(({ name }) => name)
  if (available.length === 0)
    return problem(
      'no sink can be used here: give openPipeline { catalogue: createCatalogue([webhook]) }, so that stored subscriptions are known again after a restart',
      ['sink'],
    )
  const named: unknown = isUse(given) ? { ...(given.options as object), type: given.declaration.name } : given
  if (!isMapping(named))
    return problem('this setting is missing: { type: … } with a sink is needed', ['sink'], { available })
  const { type, ...options } = named
  const sink = typeof type === 'string' && available.includes(type) ? catalogue.find('sink', type) : undefined
  if (sink === undefined) return noSuchSink(type, available, catalogue)
  const issues = [...jsonIssues(rest, []), ...jsonIssues(options, ['sink'])]
  if (issues.length > 0) return { ok: false, issues }
  return { ok: true, value: { sink, config: rest as Split['config'], options: options as JsonOptions } }
}

/** A sink that is misspelt, or one that only the configuration can have. */
function noSuchSink(type: unknown, available: readonly string[], catalogue: Catalogue): Checked<never> {
  const place = ['sink', 'type']
  if (typeof type !== 'string') return problem('the name of a sink is needed', place, { available })
  const suggestion = nearest(type, available)
  const facts = { ...(suggestion !== undefined && { suggestion }), available }
  const isKnown = catalogue.find('sink', type) !== undefined
  const message = isKnown
    ? `a subscription that is made while the pipeline runs cannot have the sink ${type}: only the configuration can`
    : `there is no sink named ${JSON.stringify(type.slice(0, 100))}`
  return problem(message, place, facts)
}

function refusals({ tap, stages }: SubscriptionPlan): SchemaIssue[] {
  const found: SchemaIssue[] = []
  if (tap !== undefined)
    found.push({
      code: 'config-invalid',
      path: ['guarantee'],
      message: 'a subscription that is made while the pipeline runs is at-least-once: leave guarantee out',
    })
  if (stages.some(({ runsUserCode }) => runsUserCode))
    found.push({
      code: 'config-invalid',
      path: ['stages'],
      message: 'stages that run code of your own belong into the configuration: only built-in ones can be stored',
    })
  return found
}

const maxDepth = 32

/** What cannot be stored as JSON and read back the same. */
function jsonIssues(value: unknown, path: SchemaIssue['path']): SchemaIssue[] {
  if (path.length > maxDepth) return [{ code: 'config-invalid', path, message: 'this is nested too deeply' }]
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean') return []
  if (typeof value === 'number' && Number.isFinite(value)) return []
  if (Array.isArray(value)) return value.flatMap((each, index) => jsonIssues(each, [...path, index]))
  if (isMapping(value)) return Object.entries(value).flatMap(([key, each]) => jsonIssues(each, [...path, key]))
  return [{ code: 'config-invalid', path, message: 'only JSON can be stored: no functions, classes or stages in code' }]
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
