import { decide } from '../core/delivery.ts'
import { messageOf } from '../core/errors.ts'
import type { Event, Sequence } from '../core/event.ts'
import { noCounters } from '../core/ledger-state.ts'
import { messageId } from '../core/message-id.ts'
import { type Outcome, outcomesProblem } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Log, Platform, Timer } from '../core/platform.ts'
import { Queue } from '../core/queue.ts'
import type { Sink } from '../plugin/sink.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { SubscriptionStatus, TapCounters } from './api.ts'
import { Calls } from './calls.ts'
import type { Reader } from './dispatch.ts'
import { DeliveryView, Flight } from './flight.ts'
import type { TapSpec } from './setup.ts'
import { SinkCall } from './sink-attempt.ts'

/** A delivery between two attempts. */
interface Pause {
  readonly timer: Timer
  end(): void
}

/**
 * A best-effort subscription: a bounded queue in memory and workers of its own, so that no other sink and no publisher
 * ever waits for it. When the queue is full, what comes new is dropped and counted. A worker keeps an event until it is
 * delivered or given up, its pauses included. `offered = dropped + accepted`, and after a stop `accepted = delivered +
 * discarded + failed` (G25).
 */
export class Tap implements Reader {
  readonly name: string
  readonly policy: SubscriptionPolicy
  readonly spec: TapSpec
  /** It travels along the log as lanes do, and never stays behind. */
  position: Sequence = 0
  travel: () => { readonly position: Sequence; readonly isFront: boolean } = () => ({
    position: this.position,
    isFront: false,
  })
  readonly #platform: Platform
  readonly #log: Log
  readonly #queue = new Queue<Event>()
  readonly #calls: Calls
  readonly #pauses = new Set<Pause>()
  readonly #counts = { offered: 0, dropped: 0, accepted: 0, delivered: 0, discarded: 0, failed: 0 }
  readonly #tries = { attempts: 0, retries: 0 }
  readonly #identify: (event: Event) => string
  #sink: Sink | undefined
  #context: PluginContext | undefined
  #active = 0
  #state: 'waiting' | 'running' | 'draining' | 'stopped' = 'waiting'
  #onDrained: () => void = () => undefined
  lastError: string | undefined

  constructor(spec: TapSpec, platform: Platform, log: Log) {
    this.spec = spec
    this.policy = spec.policy
    this.name = spec.policy.name
    this.#platform = platform
    this.#log = log
    this.#calls = new Calls(platform, spec.policy.timeoutMs)
    this.#identify = ({ source, id }) => messageId(platform.digest, this.name, source, id)
  }

  get counters(): TapCounters {
    return { ...this.#counts, buffered: this.#queue.size + this.#active }
  }

  /** As the books of a ledger say it: what was dropped or given up is lost, for nobody can put it back. */
  get books(): SubscriptionStatus['counters'] {
    const { offered, dropped, delivered, discarded, failed, buffered } = this.counters
    const ended = { matched: offered, delivered, discarded, lost: dropped + failed }
    return { ...noCounters, ...ended, ...this.#tries, filtered: 0, dead: 0, open: buffered }
  }

  /** False when an event would be dropped. */
  get hasRoom(): boolean {
    return this.#queue.size < this.spec.buffer && (this.#state === 'waiting' || this.#state === 'running')
  }

  /** Takes the event, or drops and counts it; true when taken. Never throws, never waits. */
  offer(event: Event): boolean {
    if (!this.hasRoom) {
      this.drop()
      return false
    }
    this.#counts.offered += 1
    this.#counts.accepted += 1
    this.#queue.push(event)
    this.pump()
    return true
  }

  drop(): void {
    this.#counts.offered += 1
    this.#counts.dropped += 1
  }

  /** From the log: what the filter lets through is offered. It never holds the others back. */
  accept(given: Event): boolean {
    const event = this.spec.see === undefined ? given : this.spec.see(given)
    if (this.policy.where?.test(event) !== false) this.offer(event)
    return true
  }

  room(): number {
    return Number.POSITIVE_INFINITY
  }

  touch(): void {}

  async start(context: PluginContext): Promise<void> {
    this.#sink = this.spec.createSink()
    this.#context = context
    await this.#sink?.open?.(context)
    this.#state = 'running'
    this.pump()
  }

  pump(): void {
    if (this.#state !== 'running' && this.#state !== 'draining') return
    while (this.#active < this.policy.concurrency && this.#queue.size > 0) {
      this.#active += 1
      this.#work(this.#queue.shift()!).then(
        () => this.#worked(),
        () => this.#worked(),
      )
    }
  }

  /** What is buffered gets one attempt each; pauses are cut short. Resolves when nothing is left, or at `deadline`. */
  async stop(deadline: Promise<void>): Promise<void> {
    const hadStarted = this.#state === 'running'
    if (this.#state === 'stopped') return
    this.#state = hadStarted ? 'draining' : 'stopped'
    for (const pause of this.#pauses) pause.end()
    if (hadStarted) {
      const drained = new Promise<void>((resolve) => {
        this.#onDrained = resolve
      })
      this.pump()
      this.#tellDrained()
      await Promise.race([drained, deadline])
      this.#calls.abortAll(new Error('the pipeline is stopping'))
    }
    this.#state = 'stopped'
    for (let left = this.#queue.shift(); left !== undefined; left = this.#queue.shift()) this.#counts.failed += 1
    this.#counts.failed += this.#active
    this.#active = 0
    await this.#sink?.close?.()
  }

  async #work(event: Event): Promise<void> {
    const flight = new Flight(event, undefined, 'pending')
    for (;;) {
      const decision = await this.#attempt(flight)
      if (this.#state === 'stopped') return
      if (decision.kind === 'advance') this.#counts.delivered += 1
      else if (decision.kind === 'discard') this.#counts.discarded += 1
      else if (decision.kind === 'die' || this.#state === 'draining') this.#counts.failed += 1
      else {
        this.#tries.retries += 1
        await this.#pause(decision.dueAt - this.#platform.clock.now())
        if (this.#state === 'running') continue
        this.#counts.failed += 1
      }
      return
    }
  }

  async #attempt(flight: Flight): Promise<ReturnType<typeof decide>> {
    flight.attempt += 1
    this.#tries.attempts += 1
    const call = this.#calls.begin()
    this.#calls.watch(call)
    let outcome: Outcome = { outcome: 'ack' }
    let hasThrown = false
    try {
      const view = new DeliveryView(flight, this.#identify, this.policy.payload)
      const outcomes = await this.#sink?.deliver([view], new SinkCall(this.#context!, call))
      const problem = (outcomes ?? undefined) !== undefined ? outcomesProblem(outcomes, 1) : undefined
      if (problem !== undefined) throw new Error(`the sink ${problem}`)
      outcome = outcomes?.[0] ?? outcome
    } catch (error) {
      hasThrown = true
      outcome = { outcome: 'retry', reason: messageOf(error) }
    } finally {
      this.#calls.end(call)
    }
    if (outcome.outcome !== 'ack' && outcome.outcome !== 'discard') this.#tell(outcome.reason)
    const facts = { attempt: flight.attempt, hasThrown, nowMs: this.#platform.clock.now() }
    return decide(
      { retry: this.policy.retry, throwAttempts: Number.POSITIVE_INFINITY },
      outcome,
      facts,
      this.#platform.random,
    )
  }

  /** The first failure is worth a line; a dead sink would fill the log. */
  #tell(reason: string | undefined): void {
    if (this.lastError === undefined)
      this.#log.warn(`the best-effort subscription ${this.name} fails; what it loses is counted`, { reason })
    this.lastError = reason ?? 'failed'
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        pause.timer.cancel()
        this.#pauses.delete(pause)
        resolve()
      }
      const pause: Pause = { timer: this.#platform.after(Math.max(0, ms), end), end }
      this.#pauses.add(pause)
    })
  }

  #worked(): void {
    if (this.#state === 'stopped') return
    this.#active -= 1
    this.pump()
    this.#tellDrained()
  }

  #tellDrained(): void {
    if (this.#state === 'draining' && this.#active === 0 && this.#queue.size === 0) this.#onDrained()
  }
}
