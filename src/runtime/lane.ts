import type { Event, Sequence } from '../core/event.ts'
import type { Ledger } from '../core/ledger.ts'
import { KeyOrder } from '../core/order.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import { Queue } from '../core/queue.ts'
import type { Sink } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { Store } from '../plugin/store.ts'
import { Attempts } from './attempts.ts'
import { Calls } from './calls.ts'
import { DueRows } from './due-rows.ts'
import { Endings } from './endings.ts'
import { Flight } from './flight.ts'
import type { Quarantine } from './quarantine.ts'
import type { OwnedLedger, Settler } from './settler.ts'
import type { RunningStage } from './stage-run.ts'

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
  readonly ends: Endings
  readonly attempts: Attempts
  inMemory = 0
  active = 0
  isStopping = false
  #order: KeyOrder<Flight> | undefined
  readonly #ownSource: string
  #isPumping = false
  #lastActive = 0
  #isRefusing = false

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
    this.ends = new Endings(this)
    this.attempts = new Attempts(this)
    this.#order = setup.policy.ordering === 'none' ? undefined : new KeyOrder(setup.policy.ordering === 'key')
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

  /** Attempts that ignore their timeout. */
  get overdue(): number {
    return this.setup.stages.reduce((sum, { calls }) => sum + calls.overdue, this.calls.overdue)
  }

  abortAttempts(reason: Error): void {
    this.calls.abortAll(reason)
    for (const { calls } of this.setup.stages) calls.abortAll(reason)
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
    if (key !== undefined && this.#order !== undefined) this.ends.holdQueue(key, flight.sequence)
    this.due.expect(dueAt)
    this.around.settler().touch(this)
  }

  /** Starts what may run now. */
  pump(): void {
    if (this.#isPumping || !this.isRunning) return
    if (this.ready.size === 0) {
      this.#tellRoom()
      return
    }
    if (this.setup.runsUserCode && !this.around.quarantine.admits(this)) return
    this.#isPumping = true
    try {
      while (this.active < this.policy.concurrency && this.ready.size > 0 && this.isRunning) this.attempts.startNext()
    } finally {
      this.#isPumping = false
    }
    this.#tellRoom()
  }

  /** Runs one delivery alone and resolves when its attempt has ended (quarantine). */
  runAlone(flight: Flight): Promise<void> {
    return this.attempts.runOne(flight)
  }

  /** Nothing of the key is in front any more: the next one may run. */
  releaseKey(key: string): void {
    const next = this.#order?.release(key)
    if (next?.kind === 'run') this.ready.push(next.item)
    if (next?.kind === 'load') this.due.loadHeld(key, next.sequences[0]!)
  }

  /** An attempt has ended: go on. */
  afterCall(): void {
    this.#lastActive = this.around.platform.clock.monotonic()
    if (this.setup.runsUserCode) this.around.quarantine.onEnd()
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
