import { Queue } from '../core/queue.ts'
import type { Call } from './calls.ts'
import type { Flight } from './flight.ts'
import { keepOf, runKeyed } from './keyed-step.ts'
import type { Lane } from './lane.ts'
import { StageBuffers } from './stage-buffers.ts'
import { type StageEnd, stageFailed } from './stage-run.ts'
import { doneWith, type Station, stationOf, statsOf } from './station.ts'
import type { StepStats } from './step-counts.ts'
import { findWoken, wake } from './wake.ts'

/**
 * Takes the deliveries of a lane through its stages. Each stage has a line in front of it and a number of places.
 *
 * - A pure stage that answers at once is run on the spot, and so is the one after it: nothing is stored.
 * - Any other step is stored before the next one begins. While one commit is written, all that get so far gather for the
 *   next one. Waiting for a commit takes no place: neither of the stage, unless the buffer of the next step is full, nor of
 *   the lane, whose places are for calls under way.
 *
 * What has come further goes first, so that nothing piles up between the stages.
 */
export class Steps {
  readonly #lane: Lane
  readonly #stations: readonly Station[]
  /** By index of the step they stand in front of; only those in front of what a committed stage leads to. */
  readonly #buffers = new StageBuffers()
  readonly #callSink: (flights: readonly Flight[], onEnd: () => void) => void
  /** In front of the sink. */
  readonly #out = new Queue<Flight>()
  readonly #alone = new Map<Flight, () => void>()
  #gathering: Flight[] = []
  #isCommitting = false
  #isDraining = false
  #hasMoved = false
  /** Deliveries taken and not yet ended, stored for later, or with clients. */
  inside = 0

  constructor(lane: Lane, callSink: (flights: readonly Flight[], onEnd: () => void) => void) {
    this.#lane = lane
    this.#callSink = callSink
    this.#stations = lane.setup.stages.map(stationOf)
    const { window, concurrency } = lane.policy
    lane.setup.stages.forEach((stage, index) => {
      const next = this.#nextStored(index)
      if (stage.isPure || next === undefined) return
      const size = next === this.#stations.length ? concurrency : this.#stations[next]!.stage.buffer
      this.#buffers.add(next, size, window)
    })
  }

  /** True when the first steps can take another delivery, or have room for one in front of them. */
  get hasRoom(): boolean {
    for (const { stage, line } of this.#stations) {
      if (line.size >= stage.buffer) return false
      if (!stage.isPure) return true
    }
    return this.#out.size < Math.max(this.#lane.policy.concurrency, this.#lane.setup.batch)
  }

  /** What its stages have done, and how many deliveries wait in front of the sink. */
  get stats(): { readonly stages: readonly StepStats[]; readonly atSink: number } {
    return { stages: this.#stations.map(statsOf), atSink: this.#out.size }
  }

  /** Takes deliveries through the steps that are left for them. */
  take(flights: readonly Flight[]): void {
    this.inside += flights.length
    for (const flight of flights) this.#proceed(flight)
    this.drain()
  }

  /** Takes one and resolves when its attempt has ended. */
  takeAlone(flight: Flight): Promise<void> {
    return new Promise((resolve) => {
      this.#alone.set(flight, resolve)
      this.take([flight])
    })
  }

  /** Starts what may run now. */
  drain(): void {
    this.#hasMoved = true
    if (this.#isDraining) return
    if (this.#lane.isStopping) this.#letGo()
    this.#isDraining = true
    while (this.#hasMoved) {
      this.#hasMoved = false
      this.#drainOut()
      for (let index = this.#stations.length - 1; index >= 0; index--) this.#drainLine(index)
    }
    this.#isDraining = false
  }

  /** Nothing goes on here: nobody waits for those that were to run alone. */
  #letGo(): void {
    for (const resolve of this.#alone.values()) resolve()
    this.#alone.clear()
  }

  /** The index of the next step that is stored, or is the sink; undefined: there is none. */
  #nextStored(index: number): number | undefined {
    for (let next = index + 1; next < this.#stations.length; next++)
      if (!this.#stations[next]!.stage.isPure) return next
    const { sink } = this.#lane.setup
    return sink === undefined || this.#lane.pull !== undefined ? undefined : this.#stations.length
  }

  /** On to its next step: pure ones on the spot, else into the line. */
  #proceed(flight: Flight): void {
    for (let index = 0; index < this.#stations.length; index++) {
      const station = this.#stations[index]!
      if (flight.done.includes(station.stage.name)) continue
      const isAtOnce = station.stage.isPure && station.free > 0 && station.line.size === 0
      if (!isAtOnce || !this.#start(index, flight)) {
        if (!isAtOnce) station.line.push(flight)
        return
      }
    }
    this.#arrive(flight)
  }

  #drainLine(index: number): void {
    const station = this.#stations[index]!
    while (station.line.size > 0 && station.free > 0 && this.#mayRun(station.line.peek()!)) {
      const flight = station.line.shift()!
      if (this.#start(index, flight)) this.#proceed(flight)
    }
  }

  #drainOut(): void {
    while (this.#out.size > 0) {
      const { gate, setup } = this.#lane
      const shutMs = gate.shutMs
      if (shutMs > 0) {
        this.#postpone(this.#out.shift()!, shutMs)
        continue
      }
      if (this.#lane.active >= gate.limit || !this.#mayRun(this.#out.peek()!)) return
      const flights: Flight[] = []
      while (flights.length < setup.batch && this.#out.size > 0) flights.push(this.#out.shift()!)
      for (const flight of flights) this.#buffers.leave(flight)
      this.#callSink(flights, () => {
        for (const flight of flights) this.#leave(flight)
      })
    }
  }

  /** The far side is down: it waits in its row, not here. */
  #postpone(flight: Flight, delayMs: number): void {
    this.#lane.ends.wait(flight, this.#lane.around.platform.clock.now() + delayMs)
    this.#leave(flight)
  }

  #mayRun(flight: Flight): boolean {
    const lane = this.#lane
    if (lane.isStopping || !(lane.isRunning || this.#alone.has(flight))) return false
    return lane.active < lane.policy.concurrency && lane.around.places.admits(lane)
  }

  /** Begins a stage's call; true when it is over and the delivery can go on at once. */
  #start(index: number, flight: Flight): boolean {
    const lane = this.#lane
    const { stage, counts } = this.#stations[index]!
    if (!stage.isPure) this.#buffers.leave(flight)
    this.#stations[index]!.free -= 1
    flight.attempt += 1
    flight.attemptCount += 1
    const { clock } = lane.around.platform
    const call = stage.calls.begin(!stage.isPure || counts.measuresNext)
    const result = findWoken(lane, stage, call, runKeyed(stage, flight, call, lane.setup))
    if (!(result instanceof Promise)) {
      stage.calls.end(call)
      counts.tookAtOnce(call, clock)
      return this.#end(index, flight, result, call)
    }
    const at = clock.now()
    lane.takePlace()
    stage.calls.watch(call, () => this.#abandon(index, flight, call, at))
    void result.then((end) => {
      stage.calls.end(call)
      lane.givePlace()
      if (call.isAbandoned) {
        this.#stations[index]!.free += 1
        lane.attempts.reclaim([flight])
      } else {
        counts.took(call, clock)
        if (this.#end(index, flight, end, call, at)) this.#proceed(flight)
      }
      this.drain()
      lane.afterCall()
    })
    return false
  }

  /** The attempt ends, its call goes on: the place is the call's until it ends. */
  #abandon(index: number, flight: Flight, call: Call, at: number): void {
    const { stage, counts } = this.#stations[index]!
    this.#lane.abandoned.begin([flight])
    counts.took(call, this.#lane.around.platform.clock)
    this.#end(index, flight, stageFailed(stage, call, undefined), call, at)
    this.drain()
    this.#lane.afterCall()
  }

  /** A stage's call is over, begun `at` or just now; true when the delivery can go on at once. */
  #end(index: number, flight: Flight, end: StageEnd, call: Call, at?: number): boolean {
    const station = this.#stations[index]!
    const { stage } = station
    const { outcome } = end
    station.counts.count(outcome)
    keepOf(stage, flight, end)
    wake(this.#lane, end)
    if (end.derived.length > 0) this.#lane.around.settler().derive(end.derived)
    if (outcome.isWait === true && outcome.delayMs === 0 && !stage.isPure) {
      flight.resume(end)
      this.#store(station, flight, undefined)
      return false
    }
    if (outcome.outcome !== 'ack') {
      if (!call.isAbandoned) station.free += 1
      flight.leave(end)
      this.#lane.ends.apply(flight, outcome, {
        at: at ?? this.#lane.around.platform.clock.now(),
        step: stage.name,
        call,
        policy: stage.policy,
        hasThrown: end.hasThrown,
      })
      this.#leave(flight)
      return false
    }
    flight.advance(doneWith(this.#stations, index, flight), end)
    // What is not stored is no attempt to be remembered either.
    if (stage.isPure) flight.attemptCount -= 1
    const isLast = this.#lane.setup.sink === undefined && index === this.#stations.length - 1
    if (stage.isPure || isLast) {
      station.free += 1
      return true
    }
    this.#store(station, flight, this.#nextStored(index))
    return false
  }

  /** What it has come to is stored before it goes on. */
  #store(station: Station, flight: Flight, next: number | undefined): void {
    this.#buffers.enter(next, flight, () => {
      station.free += 1
      this.drain()
    })
    this.#lane.ends.putRow(flight, this.#lane.around.platform.clock.now(), false)
    this.#gathering.push(flight)
    if (!this.#isCommitting) void this.#commit()
  }

  /** Commits what has gathered, again and again until nothing has. */
  async #commit(): Promise<void> {
    this.#isCommitting = true
    // What gets through its stage in the same turn comes along.
    await undefined
    while (this.#gathering.length > 0) {
      const committed = this.#gathering
      this.#gathering = []
      await this.#lane.around.settler().flush()
      if (this.#lane.isGone) return
      this.#buffers.commit((step) => this.#standing(step))
      for (const flight of committed) this.#proceed(flight)
      this.drain()
      this.#lane.afterCall()
    }
    this.#isCommitting = false
  }

  #standing(step: number): { readonly waiting: number; readonly running: number } {
    const station = this.#stations[step]
    const { calls } = station?.stage ?? this.#lane
    return { waiting: station?.line.size ?? this.#out.size, running: calls.size }
  }

  /** Through all stages. */
  #arrive(flight: Flight): void {
    const { setup, pull, ends } = this.#lane
    if (setup.sink !== undefined && pull === undefined) {
      this.#out.push(flight)
      return
    }
    // Pure stages alone are one attempt.
    if (flight.attemptCount === 0) flight.attemptCount = 1
    if (pull === undefined) ends.deliver(flight)
    else pull.arrive(flight)
    this.#leave(flight)
  }

  #leave(flight: Flight): void {
    this.inside -= 1
    this.#buffers.leave(flight)
    if (this.#alone.size === 0) return
    this.#alone.get(flight)?.()
    this.#alone.delete(flight)
  }
}
