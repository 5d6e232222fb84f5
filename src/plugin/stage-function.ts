import type { Event } from '../core/event.ts'
import type { CreateContext } from './define.ts'
import type { RetryPolicies } from './retry-setting.ts'
import type { Stage, StageInput, StageSettings } from './stage.ts'
import type { StandardSchema } from './standard-schema.ts'

/** What a stage in code does: see `Stage.process`. */
export type StageFunction = Stage['process']

/** What a stage is given that knows which events reach it. */
export type TypedStageInput<E extends Event<unknown>> = Omit<StageInput, 'event'> & { readonly event: E }

/** A stage given as a function, as `stage()` makes it. */
export interface FunctionStage<E extends Event<unknown> = Event> {
  readonly kind: 'function-stage'
  readonly name: string
  // A method, so that a stage for some events may stand where one for any is stored.
  process(input: TypedStageInput<E>): ReturnType<StageFunction>
  readonly settings: StageSettings
}

/** A checked stage of a subscription: what the runtime opens and calls. */
export interface StageUse {
  /** Its identity: contexts and attempts of open deliveries are stored under it. */
  readonly name: string
  /** Calls at a time at most. */
  readonly concurrency: number
  /** Deliveries that may wait in front of it. */
  readonly buffer: number
  /** Absent: the subscription's timeout. */
  readonly timeoutMs?: number | undefined
  /** Absent: the subscription's. */
  readonly retry?: RetryPolicies | undefined
  /** Its result is not committed, and made again after a crash. */
  readonly isPure: boolean
  /** True when it runs code of the user in this process: such deliveries can be suspects after a crash. */
  readonly runsUserCode: boolean
  /** Present: what it keeps follows from the events alone, by this version of its code. */
  readonly foldVersion?: string | undefined
  /** Patterns of events that it needs to be given. */
  readonly waitsFor?: readonly string[] | undefined
  /** Makes the stage. Called once per start, with what surrounds the pipeline that runs it. */
  create(context: CreateContext): Promise<Stage>
}

type Processing<E extends Event<unknown>> = (input: TypedStageInput<E>) => ReturnType<StageFunction>
type InputOf<S extends StandardSchema> = Event<NonNullable<S['~standard']['types']>['input']>

/**
 * A step of a subscription, written in code: `stage('enrich', async ({ event }) => …, { concurrency: 10 })`. With a Standard
 * Schema as `input` the data of its events is known.
 */
export function stage<S extends StandardSchema>(
  name: string,
  process: Processing<InputOf<S>>,
  settings: StageSettings & { readonly input: S },
): FunctionStage<InputOf<S>>
export function stage<E extends Event<unknown> = Event>(
  name: string,
  process: Processing<E>,
  settings?: StageSettings,
): FunctionStage<E>
export function stage(name: string, process: Processing<Event>, settings: StageSettings = {}): FunctionStage {
  return Object.freeze({ kind: 'function-stage', name, process, settings })
}

/** True for what `stage()` made, also by another copy of the package. */
export function isFunctionStage(value: unknown): value is FunctionStage {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'function-stage'
}
