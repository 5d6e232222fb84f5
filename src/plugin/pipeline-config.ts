import type { RetryPolicy, Start, SubscriptionPolicy } from '../core/plan.ts'
import { defaultRetry, defaultThrowAttempts } from '../core/retry.ts'
import type { Catalogue } from './catalogue.ts'
import { check, type SchemaIssue } from './check.ts'
import { crossIssues, crossWarnings } from './cross-checks.ts'
import type { CreateContext, SinkDeclaration, SourceDeclaration, StoreDeclaration } from './define.ts'
import {
  type CheckedConfig,
  type CheckedSubscription,
  checkingSlots,
  pipelineSchema,
  type tokenScopes,
} from './pipeline-schema.ts'
import type { CheckedUse } from './slots.ts'
import type { StageUse } from './stage-function.ts'
import type { CheckedStage } from './stage-slot.ts'

export type { PipelineConfig } from './pipeline-schema.ts'

/** One token of the HTTP API, as configured. */
export interface TokenPlan {
  readonly name: string
  /** SHA-256 of the token, as text. */
  readonly hash: string
  readonly scopes: readonly (typeof tokenScopes)[number][]
  /** Undefined: every source. */
  readonly sources: readonly string[] | undefined
}

/** One subscription, decided. */
export interface SubscriptionPlan {
  readonly policy: SubscriptionPolicy
  readonly stages: readonly StageUse[]
  /** Absent: reaching the end of the stages is delivery. */
  readonly sink?: CheckedUse<SinkDeclaration> | undefined
  /** Starts paused. */
  readonly isPaused: boolean
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
  readonly server: { readonly host: string; readonly port: number; readonly tokens: readonly TokenPlan[] }
  readonly limits: { readonly bodyBytes: number; readonly batch: number; readonly depth: number }
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
  host: '127.0.0.1',
  port: 7117,
  bodyBytes: 2 ** 20,
  batch: 10_000,
  depth: 64,
  concurrency: 16,
  timeoutMs: 15_000,
  deadKeepMs: 30 * dayMs,
  window: 1024,
  maxOpen: 100_000,
} as const

/** Checks a whole configuration at once, from a file or from code, and fills in every default. */
export function checkPipeline(config: unknown, catalogue: Catalogue, createContext: CreateContext): CheckedPipeline {
  const checked = check(pipelineSchema(checkingSlots(catalogue)), config)
  const issues = [...(checked.ok ? [] : checked.issues), ...crossIssues(config, catalogue)]
  if (!checked.ok || issues.length > 0) return { ok: false, issues }
  return { ok: true, plan: planOf(checked.value, createContext), warnings: crossWarnings(config) }
}

function planOf(config: CheckedConfig, createContext: CreateContext): PipelinePlan {
  const { retention, server, limits, sources = {}, subscriptions = {} } = config
  return {
    store: config.store,
    retention: { ageMs: retention?.age, sizeBytes: retention?.size, whenPinned: retention?.whenPinned ?? 'keep' },
    dedupMs: config.dedup ?? defaults.dedupMs,
    historyMs: config.history ?? defaults.historyMs,
    server: {
      host: server?.host ?? defaults.host,
      port: server?.port ?? defaults.port,
      tokens: (server?.tokens ?? []).map((token) => ({ ...token, sources: token.sources })),
    },
    limits: {
      bodyBytes: limits?.body ?? defaults.bodyBytes,
      batch: limits?.batch ?? defaults.batch,
      depth: limits?.depth ?? defaults.depth,
    },
    sources: Object.entries(sources).map(([name, source]) => ({ name, ...source })),
    subscriptions: Object.entries(subscriptions).map(([name, each]) => ({
      policy: policyOf(name, each),
      stages: (each.stages ?? []).map((stage) => stageUse(stage, createContext)),
      ...(each.sink === undefined ? {} : { sink: each.sink }),
      isPaused: each.paused ?? false,
    })),
  }
}

function stageUse({ make, ...stage }: CheckedStage, createContext: CreateContext): StageUse {
  return { ...stage, create: async () => make(createContext) }
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
    ordering,
    onFailure: subscription.onFailure ?? 'block',
    concurrency,
    timeoutMs: subscription.timeout ?? bySink?.timeoutMs ?? defaults.timeoutMs,
    ...retryOf(subscription.retry, bySink?.retry),
    start: startOf(subscription.start),
    window: subscription.window ?? Math.max(4 * concurrency, defaults.window),
    maxOpen: subscription.maxOpen ?? defaults.maxOpen,
    dead: {
      keepMs: keep === 'forever' ? undefined : (keep ?? defaults.deadKeepMs),
      redrive: redrive === undefined ? undefined : { afterMs: redrive.after, times: redrive.times },
    },
  }
}

/** What the user wrote wins over the sink's schedule, that over the engine's; a written number of attempts also bounds steps that throw. */
function retryOf(
  written: CheckedSubscription['retry'],
  bySink: Partial<RetryPolicy> | undefined,
): Pick<SubscriptionPolicy, 'retry' | 'throwAttempts'> {
  const base: RetryPolicy = { ...defaultRetry, ...bySink }
  const attempts = written?.attempts === 'unlimited' ? Number.POSITIVE_INFINITY : written?.attempts
  const growing = written?.base ?? written?.factor ?? written?.max
  const baseMs = written?.base ?? base.backoff.baseMs
  return {
    retry: {
      attempts: attempts ?? base.attempts,
      delaysMs: written?.delays ?? (growing === undefined ? base.delaysMs : []),
      backoff: {
        baseMs,
        factor: written?.factor ?? base.backoff.factor,
        maxMs: written?.max ?? Math.max(baseMs, base.backoff.maxMs),
      },
      jitter: written?.jitter ?? base.jitter,
      retryAfterMaxMs: base.retryAfterMaxMs,
    },
    throwAttempts: attempts ?? bySink?.attempts ?? defaultThrowAttempts,
  }
}

function startOf(start: CheckedSubscription['start']): Start {
  if (start === undefined || start === 'now') return { kind: 'now' }
  if (start === 'beginning') return { kind: 'beginning' }
  if ('sequence' in start) return { kind: 'sequence', sequence: start.sequence }
  return { kind: 'time', timeMs: Date.parse(start.time) }
}
