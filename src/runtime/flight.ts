import type { Event, EventRecord, Json, Sequence } from '../core/event.ts'
import type { DeliveryRow } from '../core/ledger-state.ts'
import type { Attempt } from '../core/outcome.ts'
import type { Delivery } from '../plugin/sink.ts'

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

  constructor(event: Event, key: string | undefined, from: 'pending' | 'row' | 'held') {
    this.sequence = event.sequence
    this.event = event
    this.key = key
    this.from = from
  }

  remember(attempt: Attempt): void {
    this.attempts = [...this.attempts.slice(1 - attemptsKept), attempt]
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
    }
  }
}

/** What a sink sees of a flight for one attempt; the message id is computed on first use. */
export class DeliveryView implements Delivery {
  readonly event: Event
  readonly attempt: number
  readonly context: Readonly<Record<string, Json>>
  readonly #identify: (event: Event) => string

  constructor(flight: Flight, identify: (event: Event) => string) {
    this.event = flight.event
    this.attempt = flight.attempt
    this.context = flight.context
    this.#identify = identify
  }

  get messageId(): string {
    return this.#identify(this.event)
  }
}
