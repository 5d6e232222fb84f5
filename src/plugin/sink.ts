import type { Event, Json } from '../core/event.ts'
import type { Outcome } from '../core/outcome.ts'
import type { PluginContext } from './source.ts'

/** One event on its way out. */
export interface Delivery {
  readonly event: Event
  /** Counts from 1 within this step; starts again after a redrive. */
  readonly attempt: number
  /** `msg_…`: the same over all attempts and redrives of this event for this subscription. */
  readonly messageId: string
  /** What the stages left. */
  readonly context: Readonly<Record<string, Json>>
  /** The body to send where the subscription has a payload of its own, as JSON text; absent: the event. */
  readonly body?: string | undefined
  /** A test that somebody waits for: the outcome says what the far side answered, also when it is an ack. */
  readonly isTest?: boolean | undefined
}

export interface SinkContext extends PluginContext {
  /**
   * Aborted at the timeout: the attempt is then a `retry`. A call that has not ended a second later goes on without its
   * attempt: its answer counts for nothing, and it keeps its place and its keys until it ends.
   */
  readonly signal: AbortSignal
  /**
   * For a sink that takes batches, where the subscription's payload is a template: the body of the whole call as JSON text,
   * filled from the list of its events.
   */
  readonly body?: string | undefined
  /** The same moment for sinks that are called very often: one listener, and no signal has to be made. */
  onAbort?(listener: () => void): void
}

/**
 * Sends events out. `deliver` is called with 1 to `batch` deliveries, up to `concurrency` calls at a time, never
 * concurrently for one key when the subscription is ordered. It answers one outcome for each, in order, or nothing when all
 * are acknowledged. Throwing means `retry` for all of them. Not its job: retrying, counting, remembering.
 */
export interface Sink {
  deliver(
    deliveries: readonly Delivery[],
    context: SinkContext,
    // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is meant
  ): readonly Outcome[] | undefined | void | Promise<readonly Outcome[] | undefined | void>
  /**
   * False: an attempt of which nobody knows how it ended is never made again. It is stored before each call that it begins;
   * a call that throws or comes to no end, and one during which the process ended, makes dead letters. Default: true.
   */
  readonly isRepeatable?: boolean | undefined
  /** How long a call may take to end after its abort, milliseconds. Default: 1000. */
  readonly abortGraceMs?: number | undefined
  /** Called once before the first delivery; throwing stops the start. */
  open?(context: PluginContext): void | Promise<void>
  /** Called once at the end, after the last delivery. */
  close?(): void | Promise<void>
}
