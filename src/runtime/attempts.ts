import type { Event } from '../core/event.ts'
import { messageId } from '../core/message-id.ts'
import type { Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { SinkAttempt } from './sink-attempt.ts'
import { StepCounts, type StepStats } from './step-counts.ts'
import { Steps } from './steps.ts'

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
    new SinkAttempt(this.#lane, flights, onEnd).begin(this.#identify)
  }

  /** A call has ended whose attempt had ended without it: its place is free, and what waited for it goes on. */
  reclaim(flights: readonly Flight[]): void {
    for (const flight of this.#lane.abandoned.end(flights)) this.#lane.ready.push(flight)
    this.#lane.afterCall()
  }
}
