import type { DebounceRule } from '../core/debounce.ts'
import type { EventLimits } from '../core/event-check.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { IsStreamed } from '../core/stream.ts'
import type { SchemaIssue } from '../plugin/check.ts'
import type { BatchSettings, JsonOptions, SinkDeclaration, ViewSettings } from '../plugin/define.ts'
import type { EventSchemas } from '../plugin/event-schemas.ts'
import type { SubscriptionPlan } from '../plugin/pipeline-config.ts'
import type { RetryPolicies } from '../plugin/retry-setting.ts'
import type { RunTimeCheck, RunTimePlan } from '../plugin/run-time-config.ts'
import type { SecretBox } from '../plugin/secret-box.ts'
import type { Sink } from '../plugin/sink.ts'
import type { Source } from '../plugin/source.ts'
import type { Stage } from '../plugin/stage.ts'
import type { Store } from '../plugin/store.ts'
import type { Pipeline } from './api.ts'
import type { ReplayPart } from './lane-setup.ts'
import type { Upcasting } from './upcasting.ts'
import type { RetentionPolicy } from './upkeep.ts'

/** A stage, made and not opened. */
export interface MadeStage {
  readonly name: string
  readonly stage: Stage
  readonly concurrency: number
  /** Deliveries that may wait in front of it. */
  readonly buffer: number
  /** Its result is not committed. */
  readonly isPure: boolean
  /** Undefined: the subscription's. */
  readonly retry: RetryPolicies | undefined
  /** Undefined: the subscription's. */
  readonly timeoutMs: number | undefined
}

/** A configured source, not made yet. */
export interface SourceSpec {
  readonly name: string
  readonly isPassive: boolean
  /** Takes requests of its own; its name is nobody else's. */
  readonly receives?: boolean | undefined
  /** Which of its events wait for each other. */
  readonly debounce?: readonly DebounceRule[] | undefined
  create(): Source
}

/** A subscription whose sink is a view of the log: it has no lane and no ledger. */
export interface ViewSpec {
  readonly policy: SubscriptionPolicy
  readonly sinkName: string
  readonly settings: ViewSettings
  /** In which versions it shows old events; absent: as they are. */
  readonly see?: Upcasting | undefined
}

/** A subscription that reads the log with a ledger, nothing of it made yet. */
export interface SubscriptionSpec {
  readonly policy: SubscriptionPolicy
  readonly sinkName: string | undefined
  readonly batch: number
  /** How long a call waits for a full batch; absent: not at all. */
  readonly batchWaitMs?: number | undefined
  /** For a sink whose clients fetch batches. */
  readonly batches?: BatchSettings | undefined
  /** A new subscription begins paused. */
  readonly isPaused: boolean
  readonly runsUserCode: boolean
  /** In which versions it is given old events; absent: as they are. */
  readonly see?: Upcasting | undefined
  /** What its sink writes to must not be opened twice. */
  readonly isSinkSingle?: boolean | undefined
  /** Present: what its stages keep follows from the log alone, by this version of them and of what they read. */
  readonly foldVersion?: string | undefined
  /** Present: it is the lane of a rebuild of this subscription. */
  readonly rebuildOf?: string | undefined
  /** Present: it is the lane of a replay. */
  readonly replay?: ReplayPart | undefined
  createSink(): Sink | undefined
  createStages(): Promise<readonly MadeStage[]>
}

/** A best-effort subscription: no ledger, a bounded queue in memory. */
export interface TapSpec {
  readonly policy: SubscriptionPolicy
  readonly sinkName: string | undefined
  /** Events that wait at most. */
  readonly buffer: number
  /** In which versions it is given old events; absent: as they are. */
  readonly see?: Upcasting | undefined
  createSink(): Sink | undefined
}

/** A subscription that is made while the pipeline runs: with a ledger, or a view. */
export interface MadeSpec {
  readonly lane?: SubscriptionSpec | undefined
  readonly view?: ViewSpec | undefined
}

/** What subscriptions are checked, made and stored with while the pipeline runs. */
export interface RunTimeSetup {
  readonly check: RunTimeCheck
  /** What is wrong with one that somebody wants to make now, beyond what would not keep a stored one from work. */
  refusals(plan: RunTimePlan): readonly SchemaIssue[]
  /** The sink that a stored configuration names. */
  sinkOf(config: JsonOptions): SinkDeclaration | undefined
  specOf(plan: SubscriptionPlan): MadeSpec
  readonly secrets: SecretBox
}

/** What an engine is made of: everything checked, nothing opened. */
export interface EngineSetup {
  readonly platform: Platform
  readonly log: Log
  readonly limits: EventLimits
  /** What events must look like; absent: nothing is asked. */
  readonly schemas?: EventSchemas | undefined
  /** Which types belong to a stream; absent: none. */
  readonly isStreamed?: IsStreamed | undefined
  /** Events with more data are counted and logged; absent: none. */
  readonly warnBytes?: number | undefined
  readonly retention: RetentionPolicy
  readonly dedupMs: number
  readonly historyMs: number
  /** Pause between looks at what changes slowly, dead letters among it; absent: 10 to 30 seconds. */
  readonly upkeepMs?: number | undefined
  openStore(): Promise<Store>
  readonly sources: readonly SourceSpec[]
  readonly subscriptions: readonly SubscriptionSpec[]
  /** Attempts under way at once, over all subscriptions; absent: 1,024. */
  readonly attempts?: number | undefined
  /** Absent: none. */
  readonly views?: readonly ViewSpec[] | undefined
  /** Absent: none. */
  readonly taps?: readonly TapSpec[] | undefined
  /** Absent: none can be made while it runs. */
  readonly runTime?: RunTimeSetup | undefined
  /** Keeps the process alive while the pipeline runs; answers how to let go. */
  keepAlive(): () => void
  createHandler(pipeline: Pipeline): Promise<(request: Request) => Promise<Response>>
}
