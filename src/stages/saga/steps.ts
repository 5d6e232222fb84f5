import type { Event, Json } from '../../core/event.ts'
import type { SagaSignal } from '../../core/saga-state.ts'
import type { RetryInput } from '../../plugin/retry-setting.ts'
import type { StageInput } from '../../plugin/stage.ts'

/** What `run` is given. */
export interface SagaInput<Data = Json, Results = Readonly<Record<string, Json>>> {
  /** The event that the saga began with, frozen. */
  readonly event: Event<Data>
  /** What names the saga. */
  readonly key: string
  /** Of the steps before, by name. Of a step that waited: the event that came. */
  readonly results: Results
  /** Counts from 1; one that was cut off by the end of the process counts too. */
  readonly attempt: number
  /** Aborted at the step's timeout. Nobody waits longer, so what runs on after it may still have its effect. */
  readonly signal: AbortSignal
  /** The same for every attempt, and another one for the compensation: for a far side that does a thing once. */
  readonly idempotencyKey: string
  /** Milliseconds since 1970. */
  readonly now: number
  readonly log: StageInput['log']
}

/** What `compensate` is given. */
export interface CompensateInput<Data = Json, Results = Readonly<Record<string, Json>>, Result = Json>
  extends SagaInput<Data, Results> {
  /** Of the step; undefined: it is not known whether it had an effect. */
  readonly result: Result | undefined
  /** Why the saga does not complete. */
  readonly reason: string
}

/** What a step and its compensation have beside what they do. */
export interface StepSettings {
  /** When a failed attempt is made again. Default: 5 attempts, 1s to 8s apart. */
  readonly retry?: RetryInput | undefined
  /** The same of its compensation. Default: without end, at most 5m apart. */
  readonly compensateRetry?: RetryInput | undefined
  /** How long one attempt may take, of the compensation too. Default: 1m. */
  readonly timeout?: string | undefined
}

/** A step that calls something. */
export interface RunStep extends StepSettings {
  readonly name: string
  // Methods, so that a step that knows more of its saga may stand where any is stored.
  run(input: SagaInput): unknown
  compensate?(input: CompensateInput): unknown
}

/** Which event a step waits for, and what else there is to say of it. */
export interface WaitSettings {
  /** The type, or several: `payment.received`, `payment.*`. */
  readonly event: string | readonly string[]
  /** Types that say that it will not come: then the step has failed. */
  readonly fail?: string | readonly string[] | undefined
  /** How long to wait. Default: as long as the saga may take. */
  readonly timeout?: string | undefined
  readonly compensateRetry?: RetryInput | undefined
}

/** A step that waits for an event with the key of the saga. */
export interface WaitStep extends WaitSettings {
  readonly name: string
  compensate?(input: CompensateInput): unknown
}

export type SagaStep = RunStep | WaitStep

/** Thrown by a step: it had no effect and never will have one, so it is neither tried again nor compensated. */
export class StepRejected extends Error {
  override readonly name = 'StepRejected'
}

/** True for what a step throws to be rejected, also by another copy of the package. */
export function isStepRejected(error: unknown): boolean {
  return error instanceof Error && error.name === 'StepRejected'
}

/** The steps of a saga, each of which knows the results of those before it. */
export interface SagaSteps<Data, Results> {
  /** As they are handed to `saga`. */
  readonly list: readonly SagaStep[]
  /** A step that calls something; what `run` answers is its result, as JSON. */
  step<Name extends string, Result>(
    name: Name,
    does: StepSettings & {
      run(input: SagaInput<Data, Results>): Result
      compensate?(input: CompensateInput<Data, Results, Awaited<NoInfer<Result>>>): unknown
    },
  ): SagaSteps<Data, Results & Readonly<Record<Name, Awaited<Result>>>>
  /** A step that waits for an event, which is its result. */
  waitFor<Name extends string>(
    name: Name,
    does: WaitSettings & { compensate?(input: CompensateInput<Data, Results, SagaSignal>): unknown },
  ): SagaSteps<Data, Results & Readonly<Record<Name, SagaSignal>>>
}

/**
 * Begins a list of steps, typed by the data of the start event:
 * `steps<Order>().step('reserve', { run, compensate }).waitFor('paid', { event: 'payment.received' })`.
 */
export function steps<Data = Json>(): SagaSteps<Data, Readonly<Record<never, never>>> {
  return listOf([])
}

function listOf<Data, Results>(list: readonly SagaStep[]): SagaSteps<Data, Results> {
  const and = (step: unknown): SagaSteps<Data, never> => listOf([...list, step as SagaStep])
  return {
    list,
    step: (name, does) => and({ ...does, name }),
    waitFor: (name, does) => and({ ...does, name }),
  }
}
