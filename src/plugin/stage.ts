import type { Event, EventInput, Json } from '../core/event.ts'
import type { OutcomeName } from '../core/outcome.ts'
import type { PluginContext } from './source.ts'

/** What a stage is given: the event and context are frozen. */
export interface StageInput<Data = Json, Context = Readonly<Record<string, Json>>> {
  readonly event: Event<Data>
  /** As the previous stage (or this one's last attempt) left it. */
  readonly context: Context
  /** Counts from 1 within this stage. */
  readonly attempt: number
  /** Aborted at the stage's timeout and when the pipeline is stopped hard. */
  readonly signal: AbortSignal
  readonly log: PluginContext['log']
}

/** What it may answer; nothing at all means `ack`. */
export interface StageResult {
  readonly outcome: OutcomeName
  readonly reason?: string | undefined
  /** For `retry`: a duration such as `30s`. */
  readonly delay?: string | undefined
  /** Absent: unchanged. A JSON object; what JSON cannot hold is an error of the stage. */
  readonly context?: Readonly<Record<string, unknown>> | undefined
  /** Fields of the event to replace from here on: never source, id or sequence. */
  readonly event?: Partial<Pick<EventInput, 'type' | 'subject' | 'time' | 'data' | 'meta'>> | undefined
  /** Events to append in the same commit as this step. */
  readonly derive?: readonly (Pick<EventInput, 'type'> & Partial<EventInput>)[] | undefined
}

/**
 * One step of a subscription. Called once per attempt, up to `concurrency` at a time, never twice at once for one delivery.
 * Its result is committed before the next step begins; after a crash it may run again with the context as committed.
 * Throwing is a failed attempt and never ends the pipeline. Not its job: remembering what it has done.
 */
export interface Stage {
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is meant
  process(input: StageInput): StageResult | undefined | void | Promise<StageResult | undefined | void>
  open?(context: PluginContext): void | Promise<void>
  close?(): void | Promise<void>
}

export interface StageSettings {
  readonly concurrency?: number | undefined
  readonly buffer?: number | undefined
  readonly timeout?: string | undefined
}
