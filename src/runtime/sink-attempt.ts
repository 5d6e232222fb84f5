import { messageOf } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { type Outcome, outcomesProblem } from '../core/outcome.ts'
import { batchBodyOf } from '../core/payload.ts'
import type { Sink, SinkContext } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Call } from './calls.ts'
import { DeliveryView, type Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { isRepeatable, storeBegin } from './once.ts'

/** One call of a lane's sink for deliveries that go out together: it takes a place of the lane from here to its end. */
export class SinkAttempt {
  readonly #lane: Lane
  readonly #flights: readonly Flight[]
  readonly #onEnd: (() => void) | undefined
  readonly #at: number
  readonly #call: Call

  constructor(lane: Lane, flights: readonly Flight[], onEnd: (() => void) | undefined) {
    this.#lane = lane
    this.#flights = flights
    this.#onEnd = onEnd
    this.#at = lane.around.platform.clock.now()
    this.#call = lane.calls.begin()
  }

  /** `identify` gives the message id of an event. */
  begin(identify: (event: Event) => string): void {
    const lane = this.#lane
    lane.takePlace()
    for (const flight of this.#flights) {
      flight.attempt += 1
      flight.attemptCount += 1
    }
    if (isRepeatable(lane)) {
      this.#deliver(identify)
      return
    }
    storeBegin(lane, this.#flights, this.#at).then(
      () => this.#deliver(identify),
      (error: unknown) => {
        const reason = `its beginning could not be stored: ${messageOf(error)}`
        this.#finish(this.#flights.map(() => ({ outcome: 'retry', reason })))
      },
    )
  }

  #deliver(identify: (event: Event) => string): void {
    let result: ReturnType<Sink['deliver']>
    try {
      const { policy, setup } = this.#lane
      const { payload } = policy
      const replay = setup.replay?.id
      const views = this.#flights.map((flight) => new DeliveryView(flight, identify, payload, { replay }))
      const isTemplateOfBatch = payload?.kind === 'template' && setup.batch > 1
      const body = isTemplateOfBatch
        ? batchBodyOf(
            views.map(({ event }) => event),
            payload,
          )
        : undefined
      result = setup.sink!.deliver(views, new SinkCall(setup.context, this.#call, body))
    } catch (error) {
      this.#finish(undefined, error ?? new Error('threw nothing'))
      return
    }
    if (!isThenable(result)) {
      this.#answered(result ?? undefined)
      return
    }
    this.#lane.calls.watch(this.#call, () => {
      this.#lane.abandoned.begin(this.#flights)
      this.#settle(undefined, new Error('it ignores its abort'))
    })
    result.then(
      (outcomes) => this.#answered(outcomes ?? undefined),
      (error: unknown) => this.#finish(undefined, error ?? new Error('rejected without a reason')),
    )
  }

  /** Nothing means that all went well; a wrong answer, that nobody knows. */
  #answered(answer: readonly Outcome[] | undefined): void {
    const problem = answer === undefined ? undefined : outcomesProblem(answer, this.#flights.length)
    if (problem === undefined) this.#finish(answer)
    else this.#finish(undefined, new Error(`the sink ${problem}`))
  }

  /** The call is over. */
  #finish(outcomes: readonly Outcome[] | undefined, thrown?: unknown): void {
    this.#lane.calls.end(this.#call)
    this.#lane.givePlace()
    if (this.#call.isAbandoned) this.#lane.attempts.reclaim(this.#flights)
    else this.#settle(outcomes, thrown)
  }

  /** The attempts of the deliveries are over, with the call or, where it was abandoned, without it. */
  #settle(outcomes: readonly Outcome[] | undefined, thrown: unknown): void {
    const lane = this.#lane
    for (const flight of this.#flights) flight.begunAt = undefined
    lane.attempts.sink.took(this.#call, lane.around.platform.clock)
    lane.gate.end(outcomes, thrown !== undefined)
    lane.ends.applyAll(this.#flights, outcomes, thrown, { at: this.#at, call: this.#call })
    lane.afterCall()
    this.#onEnd?.()
  }
}

/** Also of another realm, or of a library of its own. */
function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** The lane's context with this call's signal. */
export class SinkCall implements SinkContext {
  readonly name: string
  readonly log: PluginContext['log']
  readonly clock: PluginContext['clock']
  readonly body: string | undefined
  readonly #call: Call

  constructor(context: PluginContext, call: Call, body?: string) {
    this.name = context.name
    this.log = context.log
    this.clock = context.clock
    this.body = body
    this.#call = call
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  onAbort(listener: () => void): void {
    this.#call.onAbort(listener)
  }
}
