import { decide } from '../core/delivery.ts'
import { messageOf } from '../core/errors.ts'
import type { Event, Sequence } from '../core/event.ts'
import type { Ledger } from '../core/ledger.ts'
import type { DeadRow } from '../core/ledger-state.ts'
import { KeyOrder } from '../core/order.ts'
import type { Outcome } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import { Queue } from '../core/queue.ts'
import type { Sink } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Store } from '../plugin/store.ts'
import { type Call, Calls } from './calls.ts'
import { DueRows } from './due-rows.ts'
import { DeliveryView, Flight } from './flight.ts'
import type { Quarantine } from './quarantine.ts'
import type { OwnedLedger, Settler } from './settler.ts'
import { type RunningStage, runStage, type StageEnd } from './stage-run.ts'
import { systemEvent } from './system-events.ts'

export interface LaneSetup {
  readonly policy: SubscriptionPolicy
  readonly ledger: Ledger
  readonly epoch: number
  readonly stages: readonly RunningStage[]
  readonly sink: Sink | undefined
  readonly sinkName: string | undefined
  readonly batch: number
  readonly runsUserCode: boolean
  readonly context: PluginContext
}

export interface LaneSurroundings {
  readonly store: Store
  readonly platform: Platform
  readonly log: Log
  readonly settler: () => Settler
  readonly quarantine: Quarantine
  /** The lane has room for more events than when it was last refused. */
  readonly onRoom: (lane: Lane) => void
}

/**
 * One subscription at work: takes matched events from dispatch, orders them, runs stages and sink, and tells its ledger.
 * It holds a bounded window in memory and refuses more (`accept` answers false) until there is room again.
 */
export class Lane implements OwnedLedger {
  readonly name: string
  readonly epoch: number
  readonly ledger: Ledger
  readonly policy: SubscriptionPolicy
  readonly setup: LaneSetup
  /** The last sequence it has decided on while it is not with the group that shares the frontier. */
  position: Sequence
  /** Answers the position of the group it travels with. */
  travel: () => { readonly position: Sequence; readonly isFront: boolean }
  readonly around: LaneSurroundings
  readonly ready = new Queue<Flight>()
  readonly calls: Calls
  readonly due: DueRows
  inMemory = 0
  active = 0
  isStopping = false
  #order: KeyOrder<Flight> | undefined
  readonly #ownSource: string
  #isPumping = false
  #lastActive = 0
  #isRefusing = false
  #identify: (event: Event) => string

  constructor(setup: LaneSetup, around: LaneSurroundings) {
    this.setup = setup
    this.#ownSource = `millrace:/${setup.policy.name}`
    this.policy = setup.policy
    this.name = setup.policy.name
    this.epoch = setup.epoch
    this.ledger = setup.ledger
    this.around = around
    this.position = setup.ledger.examined
    this.travel = () => ({ position: this.position, isFront: false })
    this.calls = new Calls(around.platform, setup.policy.timeoutMs)
    this.due = new DueRows(this)
    this.#order = setup.policy.ordering === 'none' ? undefined : new KeyOrder(setup.policy.ordering === 'key')
    this.#identify = ({ source, id }) =>
      `msg_${around.platform.digest(JSON.stringify([this.name, source, id])).slice(0, 32)}`
  }

  get order(): KeyOrder<Flight> | undefined {
    return this.#order
  }

  get isRunning(): boolean {
    return this.ledger.state === 'running' && !this.isStopping
  }

  get isSaturated(): boolean {
    return this.ledger.open >= this.policy.maxOpen
  }

  get hasRoom(): boolean {
    return this.isRunning && this.inMemory < this.policy.window && !this.isSaturated
  }

  get isIdle(): boolean {
    return this.active === 0 && this.ready.size === 0
  }

  /** How long there has been work and no attempt under way. */
  get stalledForMs(): number {
    if (!this.isRunning || this.active > 0 || this.ready.size === 0) return 0
    return this.around.platform.clock.monotonic() - this.#lastActive
  }

  /** The effective position, wherever it travels. */
  get examined(): Sequence {
    return this.travel().position
  }

  /** Its place in the log changed: the small row is written soon. */
  touch(): void {
    this.ledger.touch()
    this.around.settler().touch(this)
  }

  align(): void {
    const { position, isFront } = this.travel()
    this.ledger.examined = position
    this.ledger.follows = isFront
  }

  keyOf(event: Event): string | undefined {
    if (this.policy.ordering === 'strict') return ''
    return this.policy.ordering === 'key' ? event.subject : undefined
  }

  /** Takes a matching event, or answers false: then it is offered again when there is room. */
  accept(event: Event): boolean {
    // Its own derived events would go round for ever.
    if (event.source === this.#ownSource) return true
    if (!this.hasRoom) {
      this.#isRefusing = true
      return false
    }
    this.ledger.match(event.sequence)
    this.admit(new Flight(event, this.keyOf(event), 'pending'))
    this.around.settler().touch(this)
    return true
  }

  /** A delivery already in the ledger comes into memory: matched just now, or left pending by an earlier process. */
  admit(flight: Flight): void {
    const { key } = flight
    const admission = key === undefined || this.#order === undefined ? 'run' : this.#order.arrive(key, flight)
    if (admission === 'hold') {
      this.ledger.hold(key!, this.#order!.held(key!), [flight.sequence])
      return
    }
    if (this.inMemory === 0) this.#lastActive = this.around.platform.clock.monotonic()
    this.inMemory += 1
    if (admission === 'run') this.ready.push(flight)
  }

  /** A recovered delivery waits in a row until its time. */
  postpone(flight: Flight, dueAt: number): void {
    const { key } = flight
    if (key !== undefined && this.#order !== undefined && flight.from === 'pending') {
      const admission = this.#order.arrive(key, flight)
      if (admission === 'hold') this.ledger.hold(key, this.#order.held(key), [flight.sequence])
      else if (admission === 'queue') this.inMemory += 1
      if (admission !== 'run') return
    }
    this.ledger.putRow(flight.toRow(dueAt), flight.from)
    flight.from = 'row'
    if (key !== undefined && this.#order !== undefined) this.#holdQueue(key, flight.sequence)
    this.due.expect(dueAt)
    this.around.settler().touch(this)
  }

  /** Starts what may run now. */
  pump(): void {
    if (this.#isPumping || !this.isRunning) return
    if (this.ready.size === 0) return this.#tellRoom()
    if (this.setup.runsUserCode && !this.around.quarantine.admits(this)) return
    this.#isPumping = true
    try {
      while (this.active < this.policy.concurrency && this.ready.size > 0 && this.isRunning) this.#startNext()
    } finally {
      this.#isPumping = false
    }
    this.#tellRoom()
  }

  /** Runs one delivery alone and resolves when its attempt has ended (quarantine). */
  runAlone(flight: Flight): Promise<void> {
    return this.#runOne(flight)
  }

  #startNext(): void {
    if (this.setup.stages.length > 0 || this.setup.sink === undefined) {
      void this.#runOne(this.ready.shift()!)
      return
    }
    const flights: Flight[] = []
    while (flights.length < this.setup.batch && this.ready.size > 0) flights.push(this.ready.shift()!)
    this.#callSink(flights)
  }

  async #runOne(flight: Flight): Promise<void> {
    this.active += 1
    let advanced = true
    for (const stage of this.setup.stages) {
      if (flight.done.includes(stage.name)) continue
      advanced = await this.#runStage(stage, flight)
      if (!advanced) break
    }
    this.active -= 1
    if (!advanced) {
      this.#afterCall()
      return
    }
    if (this.setup.sink === undefined) {
      this.#deliver(flight)
      this.#afterCall()
      return
    }
    await new Promise<void>((resolve) => this.#callSink([flight], resolve))
  }

  async #runStage(stage: RunningStage, flight: Flight): Promise<boolean> {
    flight.attempt += 1
    flight.attemptCount += 1
    const at = this.around.platform.clock.now()
    const call = this.calls.begin()
    this.calls.watch(call)
    const end = await runStage(stage, flight, call, this.setup.context)
    this.calls.end(call)
    if (end.outcome.outcome === 'ack') return this.#stageDone(stage, flight, end)
    this.#apply(flight, end.outcome, { at, step: stage.name, hasThrown: end.hasThrown, call })
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
    if (end.derived.length > 0) this.around.settler().derive(end.derived)
    const isLast = this.setup.sink === undefined && stage === this.setup.stages.at(-1)
    if (isLast) return true
    this.#putRow(flight, this.around.platform.clock.now(), false)
    await this.around.settler().flush()
    return true
  }

  #callSink(flights: readonly Flight[], onEnd?: () => void): void {
    this.active += 1
    for (const flight of flights) {
      flight.attempt += 1
      flight.attemptCount += 1
    }
    const at = this.around.platform.clock.now()
    const call = this.calls.begin()
    const finish = (outcomes: readonly Outcome[] | undefined | void, thrown?: unknown): void => {
      this.calls.end(call)
      this.active -= 1
      this.#applyAll(flights, outcomes, thrown, { at, call })
      this.#afterCall()
      onEnd?.()
    }
    try {
      const views = flights.map((flight) => new DeliveryView(flight, this.#identify))
      const result = this.setup.sink!.deliver(views, new SinkCall(this.setup.context, call))
      if (result instanceof Promise) {
        this.calls.watch(call)
        result.then(finish, (error: unknown) => finish(undefined, error ?? new Error('rejected without a reason')))
      } else finish(result)
    } catch (error) {
      finish(undefined, error ?? new Error('threw nothing'))
    }
  }

  #applyAll(
    flights: readonly Flight[],
    outcomes: readonly Outcome[] | undefined | void,
    thrown: unknown,
    facts: { at: number; call: Call },
  ): void {
    const failure =
      thrown ??
      (outcomes && outcomes.length !== flights.length
        ? new Error(`the sink answered ${outcomes.length} outcomes for ${flights.length} deliveries`)
        : undefined)
    if (failure === undefined && !outcomes) {
      for (const flight of flights) this.#deliver(flight)
      return
    }
    for (let i = 0; i < flights.length; i++) {
      const reason = facts.call.hasTimedOut ? `timed out after ${this.policy.timeoutMs} ms` : messageOf(failure)
      const outcome: Outcome = failure === undefined ? outcomes![i]! : { outcome: 'retry', reason }
      this.#apply(flights[i]!, outcome, { ...facts, step: 'sink', hasThrown: failure !== undefined })
    }
  }

  #apply(flight: Flight, outcome: Outcome, facts: { at: number; step: string; hasThrown: boolean; call: Call }): void {
    const nowMs = this.around.platform.clock.now()
    if (outcome.outcome !== 'ack' || outcome.detail !== undefined) {
      flight.remember({
        at: facts.at,
        durationMs: Math.max(0, nowMs - facts.at),
        step: facts.step,
        outcome: outcome.outcome,
        reason: outcome.reason,
        detail: outcome.detail,
      })
    }
    if (this.isStopping && facts.call.hasTimedOut) return
    const policy =
      facts.step === 'sink'
        ? { retry: this.policy.retry, throwAttempts: Number.POSITIVE_INFINITY }
        : stagePolicy(this.policy)
    const decision = decide(
      policy,
      outcome,
      { attempt: flight.attempt, hasThrown: facts.hasThrown, nowMs },
      this.around.platform.random,
    )
    switch (decision.kind) {
      case 'advance':
        this.#deliver(flight)
        return
      case 'discard':
        this.settle(flight, 'discarded', decision.reason)
        return
      case 'wait':
        this.ledger.countAttempts(1, 1)
        this.#putRow(flight, decision.dueAt, true)
        this.#leaveMemory(flight)
        this.due.expect(decision.dueAt)
        return
      case 'die':
        this.ledger.countAttempts(1, 0)
        this.die(flight, decision.reason, outcome.reason)
        if (decision.disable) this.stopWith('disabled', decision.reason)
        return
    }
  }

  #deliver(flight: Flight): void {
    if (flight.from === 'pending' && flight.attemptCount === 1 && flight.attempts.length === 0) {
      this.ledger.deliverPending(flight.sequence)
      this.around.settler().touch(this)
      this.inMemory -= 1
      if (flight.key !== undefined) this.#release(flight)
      return
    }
    this.settle(flight, 'delivered')
  }

  settle(flight: Flight, state: 'delivered' | 'discarded' | 'lost', reason?: string): void {
    this.ledger.countAttempts(state === 'lost' ? 0 : 1, 0)
    this.ledger.settle(flight.sequence, state, flight.from, {
      reason,
      attemptCount: flight.attemptCount,
      attempts: flight.attempts,
    })
    this.#leaveHeld(flight)
    this.#leaveMemory(flight)
    this.around.settler().touch(this)
    this.#release(flight)
  }

  /** Into the dead letters; under `park` the key stays behind it, under `halt` the subscription stops. */
  die(flight: Flight, reason: string, error?: string): void {
    const diedAt = this.around.platform.clock.now()
    const row: DeadRow = {
      sequence: flight.sequence,
      event:
        flight.replaced === undefined
          ? flight.event.record
          : { ...flight.replaced, sequence: flight.sequence, appendedAt: flight.event.record.appendedAt },
      reason,
      error,
      diedAt,
      attemptCount: flight.attemptCount,
      attempts: flight.attempts,
      key: flight.key,
      done: flight.done,
      context: flight.toRow(0).context,
      redriven: flight.redriven,
    }
    this.ledger.bury(row, flight.from)
    this.#leaveHeld(flight)
    this.#leaveMemory(flight)
    this.around
      .settler()
      .derive([systemEvent('millrace.dead', this.name, this.around.platform, { sequence: flight.sequence, reason })])
    this.around.settler().touch(this)
    if (this.policy.onFailure === 'park' && flight.key !== undefined) {
      this.#holdQueue(flight.key, flight.sequence)
      return
    }
    if (this.policy.onFailure === 'halt') this.stopWith('halted', `event ${flight.sequence} died: ${reason}`)
    this.#release(flight)
  }

  stopWith(state: 'halted' | 'disabled', reason: string): void {
    this.ledger.setState(state, reason)
    this.around.log.warn(`subscription ${this.name} is ${state}`, { reason })
    if (state === 'disabled')
      this.around.settler().derive([systemEvent('millrace.disabled', this.name, this.around.platform, { reason })])
    this.around.settler().touch(this)
  }

  /** The delivery is remembered in a row; while it waits there, what is behind it in its key waits too. */
  #putRow(flight: Flight, dueAt: number, waits: boolean): void {
    this.ledger.putRow(flight.toRow(dueAt), flight.from)
    this.#leaveHeld(flight)
    flight.from = 'row'
    if (waits && flight.key !== undefined) this.#holdQueue(flight.key, flight.sequence)
    this.due.track(flight)
    this.around.settler().touch(this)
  }

  #holdQueue(key: string, head: Sequence): void {
    const queued = this.#order!.block(key, head)
    if (queued.length === 0) return
    this.inMemory -= queued.length
    this.ledger.hold(
      key,
      this.#order!.held(key),
      queued.map(({ sequence }) => sequence),
    )
  }

  #leaveHeld(flight: Flight): void {
    if (flight.from !== 'held') return
    this.ledger.rewriteHeld(flight.key!, this.#order!.leaveHeld(flight.key!, flight.sequence))
  }

  #leaveMemory(flight: Flight): void {
    this.inMemory -= 1
    this.due.forget(flight)
  }

  #release(flight: Flight): void {
    if (flight.key === undefined || this.#order === undefined) return
    this.releaseKey(flight.key)
  }

  /** Nothing of the key is in front any more: the next one may run. */
  releaseKey(key: string): void {
    const next = this.#order?.release(key)
    if (next?.kind === 'run') this.ready.push(next.item)
    if (next?.kind === 'load') this.due.loadHeld(key, next.sequences[0]!)
  }

  #afterCall(): void {
    this.#lastActive = this.around.platform.clock.monotonic()
    if (this.setup.runsUserCode) this.around.quarantine.onEnd(this)
    if (!this.#isPumping) this.pump()
    this.due.look()
  }

  #tellRoom(): void {
    if (!this.#isRefusing || !this.hasRoom || this.inMemory > this.policy.window / 2) return
    this.#isRefusing = false
    this.around.onRoom(this)
  }

  /** Forced retention removes what it has not examined; open deliveries are found lost when they are looked for. */
  loseUpTo(sequence: Sequence): void {
    this.ledger.loseUnexamined(sequence - this.position)
    this.position = sequence
    this.around.settler().touch(this)
  }

  /** Tells dispatch after a change from outside (resume, redrive, a discarded row). */
  nudge(): void {
    this.#isRefusing = true
    this.pump()
    this.due.look()
  }
}

function stagePolicy(policy: SubscriptionPolicy): { retry: SubscriptionPolicy['retry']; throwAttempts: number } {
  return { retry: { ...policy.retry, attempts: Number.POSITIVE_INFINITY }, throwAttempts: policy.throwAttempts }
}

/** The lane's context with this call's signal. */
class SinkCall implements PluginContext {
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
}
