import type { Event, EventInput, Json, Sequence } from '../core/event.ts'
import type { OutcomeName } from '../core/outcome.ts'
import type { RetryInput } from './retry-setting.ts'
import type { WrittenSchema } from './schema-settings.ts'
import type { PluginContext } from './source.ts'

/** What a stage is given: the event and context are frozen. */
export interface StageInput<Data = Json, Context = Readonly<Record<string, Json>>> {
  readonly event: Event<Data>
  /** As the previous stage (or this one's last attempt) left it. */
  readonly context: Context
  /** Counts from 1 within this stage. */
  readonly attempt: number
  /** What the stage keeps under the event's key (`keyOf`), frozen; undefined: nothing yet. */
  readonly kept?: Json | undefined
  /** Milliseconds since 1970. */
  readonly now: number
  /** Aborted at the stage's timeout and when the pipeline is stopped hard. */
  readonly signal: AbortSignal
  readonly log: PluginContext['log']
}

/** What it may answer; nothing at all means `ack`. */
export interface StageResult {
  readonly outcome: OutcomeName
  readonly reason?: string | undefined
  /** For `retry`: how long to wait instead of the policy's delay, a duration such as `30s`. The attempt counts. */
  readonly delay?: string | undefined
  /**
   * For `retry`: nothing failed, it is only too early, or one part of the work is done. The delay is kept as given, and the
   * attempt is not counted; after a delay of `0ms` the stage is called again as soon as this answer is stored.
   */
  readonly isWait?: boolean | undefined
  /** Absent: unchanged; also with `retry`. A JSON object; what JSON cannot hold is an error of the stage. */
  readonly context?: Readonly<Record<string, unknown>> | undefined
  /** Fields of the event to replace from here on: never source, id or sequence. */
  readonly event?: Partial<Pick<EventInput, 'type' | 'subject' | 'time' | 'data' | 'meta'>> | undefined
  /** Events to append in the same commit as this step; not with a `retry` that counts as a failure. */
  readonly derive?: readonly Derived[] | undefined
  /** What the stage keeps under the event's key from now on; absent: unchanged. Not with a `retry` that counts as a failure. */
  readonly keep?: Keep | undefined
  /**
   * Sequences of deliveries of this subscription that wait for a time: in the same commit as this step they are due at once.
   * Those that do not wait are left as they are. Not with a `retry` that counts as a failure.
   */
  readonly wake?: readonly Sequence[] | undefined
}

/**
 * An event that a stage derives. Its source is `millrace:/<subscription>` and its id `<id of the event>/<stage>/<id>`, where
 * the last part is its place in `derive` when none is given: an answer that may differ from the one before a crash, or
 * follow another one for the same event, gives it.
 */
export type Derived = Pick<EventInput, 'type'> & Partial<EventInput>

/** A value to be kept under a key. */
export interface Keep {
  /** null removes it. */
  readonly value: Json
  /** When `onDue` is to be called for the key, milliseconds since 1970. */
  readonly dueAt?: number | undefined
}

/** What a stage is given when a value that it keeps is due. */
export interface DueInput {
  readonly key: string
  /** Frozen. */
  readonly value: Json
  readonly now: number
  readonly log: PluginContext['log']
}

/**
 * One step of a subscription. Called once per attempt, up to `concurrency` at a time, never twice at once for one delivery or
 * key, unless a call ignores its signal: a second later its attempt has failed, and what it still answers is ignored.
 * Its result is committed before the next step begins; after a crash it may run again with the context as committed.
 * Throwing is a failed attempt and never ends the pipeline. Not its job: remembering what it has done.
 */
export interface Stage {
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is meant
  process(input: StageInput): StageResult | undefined | void | Promise<StageResult | undefined | void>
  /**
   * For a stage that keeps values: the key of an event, or undefined for one that has none. Events of one key are processed
   * one at a time; the value is committed with the step that changed it, so that it counts each event exactly once.
   */
  keyOf?(input: Pick<StageInput, 'event' | 'context'>): string | undefined
  /**
   * A value that the stage keeps is due. Called once for it, unless it fails; what it derives is committed with what it
   * keeps from then on (nothing returned: the value stays, and is due no more).
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is meant
  onDue?(input: DueInput): { readonly keep?: Keep; readonly derive?: readonly Derived[] } | undefined | void
  open?(context: PluginContext): void | Promise<void>
  close?(): void | Promise<void>
}

export interface StageSettings {
  readonly concurrency?: number | undefined
  readonly buffer?: number | undefined
  readonly timeout?: string | undefined
  /** When a failed attempt of this stage is made again. Default: as the subscription says. */
  readonly retry?: RetryInput | undefined
  /** What the data must be, a JSON Schema or a Standard Schema: an event that does not fit is a dead letter. */
  readonly input?: WrittenSchema | undefined
  /**
   * True for a function without side effects whose result follows from what it is given: it is not committed, costs no
   * write, and may run again after a crash.
   */
  readonly isPure?: boolean | undefined
}
