import { messageOf } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { messageId } from '../core/message-id.ts'
import type { Outcome } from '../core/outcome.ts'
import { batchBodyOf } from '../core/payload.ts'
import type { Sink, SinkContext } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Call } from './calls.ts'
import { DeliveryView, type Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { isRepeatable, storeBegin } from './once.ts'
import { StepCounts, type StepStats } from './step-counts.ts'
import { Steps } from './steps.ts'

type Finish = (outcomes: readonly Outcome[] | undefined, thrown?: unknown) => void

/** Runs the steps of a lane's deliveries: stages one by one, then the sink. */
export class Attempts {
  readonly #lane: Lane
  readonly #identify: (event: Event) => string
  readonly #steps: Steps | undefined
  /** Deliveries that begin together: as many as the sink takes in a call, unless they are stored on their way to it. */
  readonly #atOnce: number
  /** What the sink answered. */
  readonly sink = new StepCounts()

  constructor(lane: Lane) {
    this.#lane = lane
    const { stages, sink, batch } = lane.setup
    if (stages.length > 0 || sink === undefined)
      this.#steps = new Steps(lane, (flights, onEnd) => this.#callSink(flights, onEnd))
    this.#atOnce = stages.every(({ isPure }) => isPure) ? batch : 1
    const { replay } = lane.setup
    const name = replay?.subscription ?? lane.name
    this.#identify = ({ source, id }) => messageId(lane.around.platform.digest, name, source, id, replay?.id)
  }

  /** True when the steps can take another delivery. */
  get hasRoom(): boolean {
    return this.#steps?.hasRoom ?? true
  }

  /** Deliveries between their steps. */
  get inside(): number {
    return this.#steps?.inside ?? 0
  }

  /** Of each stage, and of the sink. */
  get stats(): readonly StepStats[] {
    const { ready, setup, pull, calls } = this.#lane
    const { stages, atSink } = this.#steps?.stats ?? { stages: [], atSink: 0 }
    const hasSink = setup.sink !== undefined && pull === undefined
    const all = hasSink ? [...stages, this.sink.stats('sink', atSink, calls.size)] : stages
    return all.map((each, index) => (index === 0 ? { ...each, waiting: each.waiting + ready.size } : each))
  }

  startNext(): void {
    const flights: Flight[] = []
    while (flights.length < this.#atOnce) {
      const flight = this.#lane.takeReady()
      if (flight === undefined) break
      flights.push(flight)
    }
    if (flights.length === 0) return
    this.#lane.gate.begin(flights.length)
    if (this.#steps === undefined) this.#callSink(flights)
    else this.#steps.take(flights)
  }

  /** What is between its steps goes on, as far as there are places. */
  drain(): void {
    this.#steps?.drain()
  }

  /** Runs one delivery alone and resolves when its attempt has ended. */
  runAlone(flight: Flight): Promise<void> {
    if (this.#steps !== undefined) return this.#steps.takeAlone(flight)
    return new Promise((resolve) => this.#callSink([flight], resolve))
  }

  #callSink(flights: readonly Flight[], onEnd?: () => void): void {
    this.#lane.takePlace()
    for (const flight of flights) {
      flight.attempt += 1
      flight.attemptCount += 1
    }
    const at = this.#lane.around.platform.clock.now()
    const call = this.#lane.calls.begin()
    const settle = (outcomes: readonly Outcome[] | undefined, thrown: unknown): void => {
      for (const flight of flights) flight.begunAt = undefined
      this.sink.took(call, this.#lane.around.platform.clock)
      this.#lane.gate.end(outcomes, thrown !== undefined)
      this.#lane.ends.applyAll(flights, outcomes, thrown, { at, call })
      this.#lane.afterCall()
      onEnd?.()
    }
    const finish = (outcomes: readonly Outcome[] | undefined, thrown?: unknown): void => {
      this.#lane.calls.end(call)
      this.#lane.givePlace()
      if (call.isAbandoned) this.reclaim(flights)
      else settle(outcomes, thrown)
    }
    const run = (): void =>
      this.#deliver(flights, call, finish, () => {
        this.#lane.abandoned.begin(flights)
        settle(undefined, new Error('it ignores its abort'))
      })
    if (isRepeatable(this.#lane)) run()
    else
      storeBegin(this.#lane, flights, at).then(run, (error: unknown) => {
        const reason = `its beginning could not be stored: ${messageOf(error)}`
        finish(flights.map(() => ({ outcome: 'retry', reason })))
      })
  }

  #deliver(flights: readonly Flight[], call: Call, finish: Finish, onAbandon: () => void): void {
    let result: ReturnType<Sink['deliver']>
    try {
      const { payload } = this.#lane.policy
      const replay = this.#lane.setup.replay?.id
      const views = flights.map((flight) => new DeliveryView(flight, this.#identify, payload, { replay }))
      const isTemplateOfBatch = payload?.kind === 'template' && this.#lane.setup.batch > 1
      const body = isTemplateOfBatch
        ? batchBodyOf(
            views.map(({ event }) => event),
            payload,
          )
        : undefined
      result = this.#lane.setup.sink!.deliver(views, new SinkCall(this.#lane.setup.context, call, body))
    } catch (error) {
      finish(undefined, error ?? new Error('threw nothing'))
      return
    }
    if (!(result instanceof Promise)) {
      finish(result ?? undefined)
      return
    }
    this.#lane.calls.watch(call, onAbandon)
    result.then(
      (outcomes) => finish(outcomes ?? undefined),
      (error: unknown) => finish(undefined, error ?? new Error('rejected without a reason')),
    )
  }

  /** A call has ended whose attempt had ended without it: its place is free, and what waited for it goes on. */
  reclaim(flights: readonly Flight[]): void {
    for (const flight of this.#lane.abandoned.end(flights)) this.#lane.ready.push(flight)
    this.#lane.afterCall()
  }
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
