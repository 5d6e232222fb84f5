import type { Event } from '../core/event.ts'
import { messageId } from '../core/message-id.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Sink, SinkContext } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Call } from './calls.ts'
import { DeliveryView, type Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { type RunningStage, runStage, type StageEnd } from './stage-run.ts'

/** Runs the steps of a lane's deliveries: stages one by one, then the sink. */
export class Attempts {
  readonly #lane: Lane
  readonly #identify: (event: Event) => string

  constructor(lane: Lane) {
    this.#lane = lane
    this.#identify = ({ source, id }) => messageId(lane.around.platform.digest, lane.name, source, id)
  }

  startNext(): void {
    if (this.#lane.setup.stages.length > 0 || this.#lane.setup.sink === undefined) {
      void this.runOne(this.#lane.ready.shift()!)
      return
    }
    const flights: Flight[] = []
    while (flights.length < this.#lane.setup.batch && this.#lane.ready.size > 0) flights.push(this.#lane.ready.shift()!)
    this.#callSink(flights)
  }

  async runOne(flight: Flight): Promise<void> {
    this.#lane.active += 1
    let advanced = true
    for (const stage of this.#lane.setup.stages) {
      if (flight.done.includes(stage.name)) continue
      advanced = await this.#runStage(stage, flight)
      if (!advanced) break
    }
    this.#lane.active -= 1
    if (!advanced) {
      this.#lane.afterCall()
      return
    }
    if (this.#lane.setup.sink === undefined) {
      this.#lane.ends.deliver(flight)
      this.#lane.afterCall()
      return
    }
    await new Promise<void>((resolve) => this.#callSink([flight], resolve))
  }

  async #runStage(stage: RunningStage, flight: Flight): Promise<boolean> {
    await stage.places.take()
    flight.attempt += 1
    flight.attemptCount += 1
    const at = this.#lane.around.platform.clock.now()
    const call = stage.calls.begin()
    stage.calls.watch(call)
    const end = await runStage(stage, flight, call, this.#lane.setup.context)
    stage.calls.end(call)
    stage.places.give()
    if (end.outcome.outcome === 'ack') return this.#stageDone(stage, flight, end)
    this.#lane.ends.apply(flight, end.outcome, { at, step: stage.name, hasThrown: end.hasThrown, call })
    return false
  }

  /** The step is committed before the next one begins. */
  async #stageDone(stage: RunningStage, flight: Flight, end: StageEnd): Promise<boolean> {
    if (end.context !== undefined) flight.context = end.context
    if (end.event !== undefined) {
      flight.event = end.event
      flight.replaced = end.event.record
    }
    flight.done = [...flight.done, stage.name]
    flight.attempt = 0
    if (end.derived.length > 0) this.#lane.around.settler().derive(end.derived)
    const isLast = this.#lane.setup.sink === undefined && stage === this.#lane.setup.stages.at(-1)
    if (isLast) return true
    this.#lane.ends.putRow(flight, this.#lane.around.platform.clock.now(), false)
    await this.#lane.around.settler().flush()
    return true
  }

  #callSink(flights: readonly Flight[], onEnd?: () => void): void {
    this.#lane.active += 1
    for (const flight of flights) {
      flight.attempt += 1
      flight.attemptCount += 1
    }
    const at = this.#lane.around.platform.clock.now()
    const call = this.#lane.calls.begin()
    const finish = (outcomes: readonly Outcome[] | undefined, thrown?: unknown): void => {
      this.#lane.calls.end(call)
      this.#lane.active -= 1
      this.#lane.ends.applyAll(flights, outcomes, thrown, { at, call })
      this.#lane.afterCall()
      onEnd?.()
    }
    let result: ReturnType<Sink['deliver']>
    try {
      const views = flights.map((flight) => new DeliveryView(flight, this.#identify))
      result = this.#lane.setup.sink!.deliver(views, new SinkCall(this.#lane.setup.context, call))
    } catch (error) {
      finish(undefined, error ?? new Error('threw nothing'))
      return
    }
    if (!(result instanceof Promise)) {
      finish(result ?? undefined)
      return
    }
    this.#lane.calls.watch(call)
    result.then(
      (outcomes) => finish(outcomes ?? undefined),
      (error: unknown) => finish(undefined, error ?? new Error('rejected without a reason')),
    )
  }
}

/** The lane's context with this call's signal. */
class SinkCall implements SinkContext {
  readonly name: string
  readonly log: PluginContext['log']
  readonly clock: PluginContext['clock']
  readonly #call: Call

  constructor(context: PluginContext, call: Call) {
    this.name = context.name
    this.log = context.log
    this.clock = context.clock
    this.#call = call
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  onAbort(listener: () => void): void {
    this.#call.onAbort(listener)
  }
}
