import type { EgressRules } from '../core/egress.ts'
import { canMatch } from '../core/match.ts'
import type { Guarantee, Start, SubscriptionPolicy } from '../core/plan.ts'
import { bestEffortRetry } from '../core/retry.ts'
import type { Catalogue } from './catalogue.ts'
import { check, type SchemaIssue } from './check.ts'
import { crossIssues, crossWarnings } from './cross-checks.ts'
import type { CreateContext, SinkDeclaration, SourceDeclaration, StoreDeclaration } from './define.ts'
import { deliveryPolicies } from './delivery-settings.ts'
import type { EventSchemas } from './event-schemas.ts'
import { type CheckedConfig, type CheckedSubscription, checkingSlots, pipelineSchema } from './pipeline-schema.ts'
import { godWarnings, registerSchemas } from './register-schemas.ts'
import { retryPolicies } from './retry-setting.ts'
import { schemaFileIssues } from './schema-files.ts'
import { type LimitsPlan, limitsPlan, type ServerPlan, serverPlan } from './server-schema.ts'
import type { CheckedUse } from './slots.ts'
import type { StageUse } from './stage-function.ts'
import type { CheckedStage } from './stage-slot.ts'

export type { PipelineConfig } from './pipeline-schema.ts'

/** One subscription, decided. */
export interface SubscriptionPlan {
  readonly policy: SubscriptionPolicy
  readonly stages: readonly StageUse[]
  /** Absent: reaching the end of the stages is delivery. */
  readonly sink?: CheckedUse<SinkDeclaration> | undefined
  /** Starts paused. */
  readonly isPaused: boolean
  /** For a best-effort subscription. */
  readonly tap?: { readonly buffer: number } | undefined
}

/** False for a subscription whose sink is a view of the log: its clients hold their position themselves. */
export function hasLedger({ sink, tap }: Pick<SubscriptionPlan, 'sink' | 'tap'>): boolean {
  return tap === undefined && sink?.declaration.served !== 'view'
}

/** A checked configuration with every default filled in: what a pipeline is made of. Nothing in it is open or running. */
export interface PipelinePlan {
  readonly store: CheckedUse<StoreDeclaration>
  readonly retention: {
    readonly ageMs: number | undefined
    readonly sizeBytes: number | undefined
    readonly whenPinned: 'keep' | 'force'
  }
  readonly dedupMs: number
  readonly historyMs: number
  readonly server: ServerPlan
  readonly limits: LimitsPlan
  /** What outbound HTTP may reach beside public addresses. */
  readonly egress: EgressRules
  /** What events must look like, by type. */
  readonly schemas: EventSchemas
  /** Patterns of the types whose events belong to a stream. */
  readonly streams: readonly string[]
  readonly sources: readonly (CheckedUse<SourceDeclaration> & { readonly name: string })[]
  readonly subscriptions: readonly SubscriptionPlan[]
}

/** A plan, with what is allowed but probably not meant; or everything that is wrong. */
export type CheckedPipeline =
  | { readonly ok: true; readonly plan: PipelinePlan; readonly warnings: readonly SchemaIssue[] }
  | { readonly ok: false; readonly issues: readonly SchemaIssue[] }

const dayMs = 86_400_000
const defaults = {
  dedupMs: 30 * dayMs,
  historyMs: 7 * dayMs,
  concurrency: 16,
  timeoutMs: 15_000,
  deadKeepMs: 30 * dayMs,
  window: 1024,
  maxOpen: 100_000,
  buffer: 1000,
} as const

/** Checks a whole configuration at once, from a file or from code, and fills in every default. */
export function checkPipeline(config: unknown, catalogue: Catalogue, createContext: CreateContext): CheckedPipeline {
  const checked = check(pipelineSchema(checkingSlots(catalogue)), config)
  const registered = registerSchemas(config, createContext.directory)
  const issues = [
    ...(checked.ok ? [] : checked.issues),
    ...crossIssues(config, catalogue),
    ...registered.issues,
    ...schemaFileIssues(config, catalogue, createContext.directory),
  ]
  if (!checked.ok || issues.length > 0) return { ok: false, issues }
  const plan = { ...planOf(checked.value), schemas: registered.schemas }
  const unmatched = plan.subscriptions.flatMap(waitIssues)
  if (unmatched.length > 0) return { ok: false, issues: unmatched }
  const warnings = [
    ...crossWarnings(config),
    ...godWarnings(plan.schemas, plan.limits.warnOptional),
    ...pluginWarnings(plan, createContext),
  ]
  return { ok: true, plan, warnings }
}

function planOf(config: CheckedConfig): Omit<PipelinePlan, 'schemas'> {
  const egress = { allow: config.egress?.allow ?? [], proxy: config.egress?.proxy }
  const { retention, server, limits, sources = {}, subscriptions = {} } = config
  return {
    store: config.store,
    retention: { ageMs: retention?.age, sizeBytes: retention?.size, whenPinned: retention?.whenPinned ?? 'keep' },
    dedupMs: config.dedup ?? defaults.dedupMs,
    historyMs: config.history ?? defaults.historyMs,
    server: serverPlan(server),
    limits: limitsPlan(limits),
    egress,
    streams: config.streams ?? [],
    sources: Object.entries(sources).map(([name, source]) => ({ name, ...source })),
    subscriptions: Object.entries(subscriptions).map(([name, each]) => subscriptionPlan(name, each)),
  }
}

/** One checked subscription with every default filled in. */
export function subscriptionPlan(name: string, checked: CheckedSubscription): SubscriptionPlan {
  return {
    policy: policyOf(name, checked),
    stages: (checked.stages ?? []).map((stage) => stageUse(stage)),
    ...(checked.sink === undefined ? {} : { sink: checked.sink }),
    isPaused: checked.paused ?? false,
    ...(guaranteeOf(checked) === 'best-effort' && { tap: { buffer: checked.buffer ?? defaults.buffer } }),
  }
}

/** What the plug-ins themselves find odd. */
function pluginWarnings({ sources, subscriptions, egress }: PipelinePlan, context: CreateContext): SchemaIssue[] {
  const around = { ...context, egress }
  const of = (use: CheckedUse<SourceDeclaration | SinkDeclaration> | undefined, path: SchemaIssue['path']) =>
    (use?.declaration.warn?.(use.options, around) ?? []).map(
      (warning): SchemaIssue => ({
        code: 'config-invalid',
        message: warning.message,
        path: [...path, ...warning.path],
      }),
    )
  return [
    ...sources.flatMap((source) => of(source, ['sources', source.name])),
    ...subscriptions.flatMap(({ policy, sink }) => of(sink, ['subscriptions', policy.name, 'sink'])),
  ]
}

/** The first stage is given what the subscription matches; those after it, what stages made of that. */
function waitIssues({ policy: { name, match }, stages: [first] }: SubscriptionPlan): SchemaIssue[] {
  return (first?.waitsFor ?? [])
    .filter((wanted) => !canMatch(match, wanted))
    .map((wanted) => ({
      code: 'config-invalid',
      path: ['subscriptions', name, 'match'],
      message: `the stage ${first!.name} waits for ${wanted}, and nothing here matches it: add it, or the stage is never given one`,
    }))
}

function stageUse({ make, ...stage }: CheckedStage): StageUse {
  return { ...stage, create: async (context) => make(context) }
}

/** What was written, else what the sink is for. */
function guaranteeOf({ guarantee, sink }: CheckedSubscription): Guarantee {
  return guarantee ?? sink?.declaration.defaults?.guarantee ?? 'at-least-once'
}

function policyOf(name: string, subscription: CheckedSubscription): SubscriptionPolicy {
  const bySink = subscription.sink?.declaration.defaults
  const ordering = subscription.ordering ?? 'none'
  const concurrency =
    ordering === 'strict' ? 1 : (subscription.concurrency ?? bySink?.concurrency ?? defaults.concurrency)
  const { keep, redrive } = subscription.dead ?? {}
  return {
    name,
    from: subscription.from,
    match: subscription.match ?? ['*'],
    recursive: subscription.recursive,
    ordering,
    onFailure: subscription.onFailure ?? 'block',
    concurrency,
    timeoutMs: subscription.timeout ?? bySink?.timeoutMs ?? defaults.timeoutMs,
    ...retryPolicies(subscription.retry, guaranteeOf(subscription) === 'best-effort' ? bestEffortRetry : bySink?.retry),
    ...deliveryPolicies(subscription, bySink?.breaker),
    rate: subscription.rate,
    pins: subscription.schemas,
    start: startOf(subscription.start),
    window: subscription.window ?? Math.max(4 * concurrency, bySink?.window ?? defaults.window),
    maxOpen: subscription.maxOpen ?? defaults.maxOpen,
    dead: {
      keepMs: keep === 'forever' ? undefined : (keep ?? defaults.deadKeepMs),
      redrive: redrive === undefined ? undefined : { afterMs: redrive.after, times: redrive.times },
    },
  }
}

function startOf(start: CheckedSubscription['start']): Start {
  if (start === undefined || start === 'now') return { kind: 'now' }
  if (start === 'beginning') return { kind: 'beginning' }
  if ('sequence' in start) return { kind: 'sequence', sequence: start.sequence }
  return { kind: 'time', timeMs: Date.parse(start.time) }
}
