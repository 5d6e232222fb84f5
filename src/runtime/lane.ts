import { Coalescing } from '../core/coalesce.ts'
import { derivedSource } from '../core/derived.ts'
import type { Event, Sequence } from '../core/event.ts'
import { FairQueue } from '../core/fair-queue.ts'
import type { Ledger } from '../core/ledger.ts'
import { notBeforeOf } from '../core/not-before.ts'
import { KeyOrder } from '../core/order.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { Queue } from '../core/queue.ts'
import { AbandonedCalls } from './abandoned-calls.ts'
import { Attempts } from './attempts.ts'
import { Calls } from './calls.ts'
import { Coalescer } from './coalescer.ts'
import { DueRows } from './due-rows.ts'
import { Endings } from './endings.ts'
import { FairShares } from './fair.ts'
import { Flight } from './flight.ts'
import { Gate } from './gate.ts'
import type { LaneSetup, LaneSurroundings } from './lane-setup.ts'
import { Pull } from './pull/pull.ts'
import type { OwnedLedger } from './settler.ts'

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
  readonly ready: Queue<Flight> | FairQueue<Flight>
  readonly calls: Calls
  readonly due: DueRows
  readonly ends: Endings
  readonly attempts: Attempts
  readonly gate: Gate
  readonly coalescer: Coalescer | undefined
  readonly fair: FairShares | undefined
  readonly pull: Pull | undefined
  readonly abandoned = new AbandonedCalls()
  inMemory = 0
  active = 0
  /** Deliveries that this process could not make because the store is damaged. */
  readonly unreadable = new Set<Sequence>()
  isStopping = false
  /** Why it stands still until it is rebuilt: another version of its code made what it keeps. */
  frozen: string | undefined
  /** It stands still for a moment. */
  isHeld = false
  isGone = false
  readonly order: KeyOrder<Flight> | undefined
  readonly #ownSource: string
  #isPumping = false
  #lastActive = 0
  #isRefusing = false

  constructor(setup: LaneSetup, around: LaneSurroundings) {
    this.setup = setup
    this.#ownSource = derivedSource(setup.rebuildOf ?? setup.policy.name)
    this.policy = setup.policy
    this.name = setup.policy.name
    this.epoch = setup.epoch
    this.ledger = setup.ledger
    this.around = around
    this.position = setup.ledger.examined
    this.travel = () => ({ position: this.position, isFront: false })
    this.calls = new Calls(around.platform, setup.policy.timeoutMs, setup.sink?.abortGraceMs)
    this.due = new DueRows(this)
    this.ends = new Endings(this)
    this.attempts = new Attempts(this)
    this.gate = new Gate(this)
    const { coalesce, fairBy } = setup.policy
    this.ready = fairBy === undefined ? new Queue() : new FairQueue(({ event }) => fairBy.groupOf(event))
    this.fair = fairBy && new FairShares(this, fairBy)
    this.coalescer = coalesce && new Coalescer(this, new Coalescing(coalesce))
    this.pull = setup.batches && new Pull(this, setup.batches)
    // Without stages there is nothing that one delivery does before another but going to clients, and the shelf orders that.
    const isOrdered = setup.policy.ordering !== 'none' && (this.pull === undefined || setup.stages.length > 0)
    this.order = isOrdered ? new KeyOrder(setup.policy.ordering === 'key') : undefined
  }

  get isRunning(): boolean {
    return this.ledger.state === 'running' && !this.isStopping && !this.isHeld && this.frozen === undefined
  }

  get isSaturated(): boolean {
    return this.ledger.open >= this.policy.maxOpen
  }

  get hasRoom(): boolean {
    return this.isRunning && this.inMemory < this.policy.window && !this.isSaturated && !this.gate.isShut
  }

  /** It takes what it is shown of the log, or would. */
  get isReading(): boolean {
    return this.isRunning && !this.#isRefusing
  }

  room(): number {
    if (this.hasRoom) return Math.max(1, this.policy.window - this.inMemory)
    this.#isRefusing = true
    return 0
  }

  get isIdle(): boolean {
    return this.active === 0 && this.ready.size === 0 && this.attempts.inside === 0
  }

  /** How long there has been work and no attempt under way. */
  get stalledForMs(): number {
    if (!this.isRunning || this.active > 0 || this.ready.size === 0 || this.gate.isWaiting) return 0
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
    if (this.policy.ordering !== 'key') return undefined
    return this.policy.orderBy === undefined ? event.subject : this.policy.orderBy.keyOf(event)
  }

  /** Takes a matching event, or answers false: then it is offered again when there is room. */
  accept(given: Event): boolean {
    const event = this.setup.see === undefined ? given : this.setup.see(given)
    if (event.source === this.#ownSource && this.policy.recursive !== true) return true
    if (this.policy.where?.test(event) === false) return true
    if (!this.hasRoom) {
      this.#isRefusing = true
      return false
    }
    const notBefore = notBeforeOf(event)
    const coalesced = this.coalescer?.keyOf(event)
    if (coalesced !== undefined) {
      this.coalescer!.arrive(coalesced, event, notBefore)
      return true
    }
    this.ledger.match(event.sequence)
    if (notBefore !== undefined && notBefore > this.around.platform.clock.now()) this.due.delay(event, notBefore)
    else {
      const flight = new Flight(event, this.keyOf(event), 'pending')
      if (this.fair === undefined || this.fair.arrive(flight)) this.admit(flight)
    }
    this.around.settler().touch(this)
    return true
  }

  /** A delivery already in the ledger comes into memory: matched just now, or left pending by an earlier process. */
  admit(flight: Flight): void {
    const { key } = flight
    const admission = key === undefined || this.order === undefined ? 'run' : this.order.arrive(key, flight)
    if (admission === 'hold') {
      this.ledger.hold(key!, this.order!.held(key!), [flight.sequence])
      return
    }
    if (this.inMemory === 0) this.#lastActive = this.around.platform.clock.monotonic()
    this.inMemory += 1
    if (admission === 'run') this.ready.push(flight)
  }

  /** A recovered delivery waits in a row until its time. */
  postpone(flight: Flight, dueAt: number): void {
    const { key } = flight
    if (key !== undefined && this.order !== undefined && flight.from === 'pending') {
      const admission = this.order.arrive(key, flight)
      if (admission === 'hold') this.ledger.hold(key, this.order.held(key), [flight.sequence])
      else if (admission === 'queue') this.inMemory += 1
      if (admission !== 'run') return
    }
    this.ledger.putRow(flight.toRow(dueAt), flight.from)
    flight.from = 'row'
    if (key !== undefined && this.order !== undefined) this.ends.holdQueue(key, flight.sequence)
    this.due.expect(dueAt)
    this.around.settler().touch(this)
  }

  /** Starts what may run now. */
  pump(): void {
    if (this.#isPumping || !this.isRunning) return
    this.attempts.drain()
    if (this.ready.size === 0) {
      this.#tellRoom()
      return
    }
    if (this.setup.runsUserCode && !this.around.quarantine.admits(this)) return
    this.#isPumping = true
    if (this.pull !== undefined && this.setup.stages.length === 0) this.#shelve(this.pull)
    try {
      while (this.ready.size > 0 && this.isRunning && this.attempts.hasRoom && this.gate.admits())
        this.attempts.startNext()
    } finally {
      this.#isPumping = false
    }
    this.#tellRoom()
  }

  /** What is ready waits for clients from now on. */
  #shelve(pull: Pull): void {
    for (let flight = this.takeReady(); flight !== undefined; flight = this.takeReady()) pull.arrive(flight)
  }

  /** The next delivery to try; undefined when none of those that were ready is to be tried any more. */
  takeReady(): Flight | undefined {
    for (let flight = this.ready.shift(); flight !== undefined; flight = this.ready.shift()) {
      if (flight.isWithdrawn || this.ends.expireIfOld(flight) || this.abandoned.holds(flight)) continue
      if (this.coalescer !== undefined && flight.group !== undefined) this.coalescer.seal(flight)
      return flight
    }
    return undefined
  }

  /** Runs one delivery alone and resolves when its attempt has ended (quarantine). */
  runAlone(flight: Flight): Promise<void> {
    return this.attempts.runAlone(flight)
  }

  /** Nothing of the key is in front any more: the next one may run. */
  releaseKey(key: string): void {
    const next = this.order?.release(key)
    if (next?.kind === 'run') this.ready.push(next.item)
    if (next?.kind === 'load') this.due.loadHeld(key, next.sequences[0]!)
  }

  /** A dead letter that its key was parked behind is gone: what waits behind it goes on. */
  unpark(key: string, sequence: Sequence): void {
    this.pull?.unpark(key, sequence)
    if (this.order?.blockedBy(key) === sequence) this.releaseKey(key)
  }

  takePlace(): void {
    this.active += 1
    this.around.places.take()
  }

  givePlace(): void {
    this.active -= 1
    this.around.places.give()
  }

  /** An attempt has ended: go on. */
  afterCall(): void {
    if (this.active === 0) this.#lastActive = this.around.platform.clock.monotonic()
    if (this.setup.runsUserCode) this.around.quarantine.onEnd()
    if (!this.#isPumping) this.pump()
    this.due.look()
    this.around.places.callWaiting()
    // Who waits until nothing is left to do looks again.
    if (this.active === 0) this.around.watch.changed()
  }

  #tellRoom(): void {
    if (!this.#isRefusing || !this.hasRoom || this.inMemory > this.policy.window / 2) return
    this.#isRefusing = false
    this.around.onRoom(this)
  }

  /** Forced retention removes what it has not examined; open deliveries are found lost when they are looked for. */
  loseUpTo(limit: Sequence): void {
    const sequence = Math.min(limit, this.setup.replay?.to ?? limit)
    if (sequence <= this.position) return
    this.ledger.loseUnexamined(sequence - this.position)
    this.position = sequence
    this.around.settler().touch(this)
  }

  /** Tells dispatch after a change from outside (resume, redrive, a discarded row). */
  nudge(): void {
    this.#isRefusing = true
    this.pump()
    this.due.look()
    this.setup.timers.look()
  }
}
