import type { EventLimits } from '../core/event-check.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Sink } from '../plugin/sink.ts'
import type { Source } from '../plugin/source.ts'
import type { Stage } from '../plugin/stage.ts'
import type { Store } from '../plugin/store.ts'
import type { Pipeline } from './api.ts'
import type { RetentionPolicy } from './upkeep.ts'

/** A stage, made and not opened. */
export interface MadeStage {
  readonly name: string
  readonly stage: Stage
  readonly concurrency: number
  /** Undefined: the subscription's. */
  readonly timeoutMs: number | undefined
}

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
    /** A new subscription begins paused. */
    readonly isPaused: boolean
    readonly runsUserCode: boolean
    createSink(): Sink | undefined
    createStages(): Promise<readonly MadeStage[]>
  }[]
  /** Keeps the process alive while the pipeline runs; answers how to let go. */
  keepAlive(): () => void
  createHandler(pipeline: Pipeline): Promise<(request: Request) => Promise<Response>>
}
