import type { Group } from '../core/coalesce.ts'
import type { Event, EventRecord, Json, Sequence } from '../core/event.ts'
import type { DeliveryRow } from '../core/ledger-state.ts'
import type { Attempt } from '../core/outcome.ts'
import { bodyOf, type Payload } from '../core/payload.ts'
import { markReplayed } from '../core/replayed.ts'
import type { Delivery } from '../plugin/sink.ts'
import type { StageBuffer } from './stage-buffer.ts'
import type { StageEnd } from './stage-run.ts'

const none: readonly never[] = Object.freeze([])
export const noContext: Readonly<Record<string, Json>> = Object.freeze({})

/** How many attempts a delivery remembers one by one; older ones are only counted. */
const attemptsKept = 25

/** A delivery in memory: being tried, or ready to be. */
export class Flight {
  readonly sequence: Sequence
  event: Event
  readonly key: string | undefined
  /** Where the ledger has it. */
  from: 'pending' | 'row' | 'held'
  /** Attempts begun within the current step. */
  attempt = 0
  /** Attempts of all steps. */
  attemptCount = 0
  attempts: readonly Attempt[] = none
  done: readonly string[] = none
  context: Readonly<Record<string, Json>> = noContext
  replaced: EventRecord | undefined
  deaths = 0
  redriven: number | undefined
  /** When the attempt began that is under way, where the store has to know. */
  begunAt: number | undefined
  /** What it stands for, where the subscription coalesces. */
  group: Group | undefined
  /** The key of the running stage that it has to itself. */
  keptKey: string | undefined
  /** It stands in this one, in front of a stage. */
  ahead: StageBuffer | undefined
  /** The group whose share of the window it takes. */
  fairGroup: string | undefined
  /** In the queue and no longer to be run: a newer event took its place. */
  isWithdrawn = false
  /** It is with clients, or waits for them: those behind it in its key do not wait for its end here. */
  isOut = false

  constructor(event: Event, key: string | undefined, from: 'pending' | 'row' | 'held') {
    this.sequence = event.sequence
    this.event = event
    this.key = key
    this.from = from
  }

  remember(attempt: Attempt): void {
    this.attempts = [...this.attempts.slice(1 - attemptsKept), attempt]
  }

  /** A step is done, and left this; `done` are all that are. */
  advance(done: readonly string[], { context, event }: Pick<StageEnd, 'context' | 'event'>): void {
    if (context !== undefined) this.context = context
    if (event !== undefined) {
      this.event = event
      this.replaced = event.record
    }
    this.done = done
    this.attempt = 0
  }

  /** An attempt of a step has ended and the step is not done. */
  leave({ context }: Pick<StageEnd, 'context'>): void {
    if (context !== undefined) this.context = context
  }

  /** A step is called again: what it has done so far was no attempt. */
  resume(end: Pick<StageEnd, 'context'>): void {
    this.leave(end)
    this.attempt -= 1
    this.attemptCount -= 1
  }

  toRow(dueAt: number): DeliveryRow {
    return {
      sequence: this.sequence,
      state: 'waiting',
      dueAt,
      key: this.key,
      done: this.done,
      attempt: this.attempt,
      deaths: this.deaths,
      context: this.context === noContext ? undefined : JSON.stringify(this.context),
      event: this.replaced,
      attempts: this.attempts,
      redriven: this.redriven,
      ...(this.begunAt !== undefined && { begunAt: this.begunAt }),
      ...(this.group !== undefined && { group: this.group }),
    }
  }
}

/** What a sink sees of a flight for one attempt; the message id is computed on first use. */
export class DeliveryView implements Delivery {
  readonly event: Event
  readonly attempt: number
  readonly context: Readonly<Record<string, Json>>
  readonly isTest: boolean
  readonly #identify: (event: Event) => string
  readonly #payload: Payload | undefined

  constructor(
    flight: Flight,
    identify: (event: Event) => string,
    payload: Payload | undefined,
    { isTest = false, replay }: { readonly isTest?: boolean; readonly replay?: string | undefined } = {},
  ) {
    this.event = replay === undefined ? flight.event : markReplayed(flight.event, replay)
    this.attempt = flight.attempt
    this.context = flight.context
    this.isTest = isTest
    this.#identify = identify
    this.#payload = payload
  }

  get body(): string | undefined {
    return this.#payload === undefined ? undefined : bodyOf(this.event, this.#payload)
  }

  get messageId(): string {
    return this.#identify(this.event)
  }
}
