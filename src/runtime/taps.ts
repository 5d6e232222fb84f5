import { AppError } from '../core/errors.ts'
import { Event, type EventInput } from '../core/event.ts'
import { checkEvent, type EventLimits } from '../core/event-check.ts'
import { createMatchIndex } from '../core/match.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { PluginContext } from '../plugin/source.ts'
import type { SubscriptionStatus } from './api.ts'
import type { Dispatch } from './dispatch.ts'
import type { TapSpec } from './setup.ts'
import { Tap } from './tap.ts'

/** The best-effort subscriptions of a pipeline: what is emitted goes to them alone, and what is appended goes to them too. */
export class Taps {
  readonly #taps: ReadonlyMap<string, Tap>
  readonly #index = createMatchIndex<Tap>()
  readonly #limits: EventLimits
  readonly #platform: Platform
  #isStopped = false
  /** Emitted while no subscription wanted it or after the stop, or not valid. */
  readonly counts = { emitted: 0, unwanted: 0, invalid: 0 }

  constructor(specs: readonly TapSpec[], limits: EventLimits, platform: Platform, log: Log) {
    this.#limits = limits
    this.#platform = platform
    this.#taps = new Map(specs.map((spec) => [spec.policy.name, new Tap(spec, platform, log)]))
    for (const tap of this.#taps.values()) this.#index.add(tap, tap.policy.match, tap.policy.from)
  }

  get names(): readonly string[] {
    return [...this.#taps.keys()]
  }

  has(name: string): boolean {
    return this.#taps.has(name)
  }

  /** What to say to who wants to do something with deliveries that are nowhere written down. */
  noLedger(name: string): AppError {
    return new AppError(
      'state-conflict',
      `that cannot be done with ${name}: it is best-effort, so its deliveries are in memory only; they cannot be paused, put back or asked about`,
    )
  }

  /** True when there is a subscription that wants the event, and all that do took it; never throws, never waits. */
  emit(input: EventInput): boolean {
    this.counts.emitted += 1
    try {
      return this.#emit(input)
    } catch {
      this.counts.invalid += 1
      return false
    }
  }

  #emit(input: EventInput): boolean {
    const { source, type } = input
    const wanting = typeof source === 'string' && typeof type === 'string' ? this.#index.lookup(source, type) : []
    if (wanting.length === 0 || this.#isStopped) {
      this.counts.unwanted += 1
      return false
    }
    // Where all are full nothing has to be built: this is what a call costs while every sink is dead.
    if (wanting.every((tap) => !tap.hasRoom && tap.policy.where === undefined)) {
      for (const tap of wanting) tap.drop()
      return false
    }
    const checked = checkEvent(input, this.#limits)
    // Nobody here keeps anything for later.
    if (!checked.ok || input.notBefore !== undefined) {
      this.counts.invalid += 1
      return false
    }
    const event = new Event({ ...checked.record, sequence: 0, appendedAt: this.#platform.clock.now() })
    const offered = wanting.filter(({ policy }) => policy.where?.test(event) !== false)
    if (offered.length === 0) this.counts.unwanted += 1
    // Offered to each of them, whatever the first one said.
    return offered.length > 0 && offered.map((tap) => tap.offer(event)).every(Boolean)
  }

  async start(context: (name: string) => PluginContext): Promise<void> {
    for (const tap of this.#taps.values()) await tap.start(context(tap.name))
  }

  /** From here on they also get what is appended. */
  join(dispatch: Dispatch): void {
    for (const tap of this.#taps.values()) {
      tap.position = dispatch.frontier
      dispatch.join(tap)
    }
  }

  async stop(deadline: Promise<void>): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#taps.values()].map((tap) => tap.stop(deadline)))
  }

  statuses(head: number): readonly SubscriptionStatus[] {
    return [...this.#taps.values()].map((tap): SubscriptionStatus => {
      const { books } = tap
      return {
        name: tap.name,
        state: 'running',
        reason: tap.lastError,
        sink: tap.spec.sinkName,
        match: tap.policy.match,
        from: tap.policy.from,
        start: 0,
        examined: tap.travel().position,
        floor: tap.travel().position,
        head,
        lag: 0,
        open: books.open,
        counters: books,
        oldestAgeSeconds: 0,
        tap: tap.counters,
      }
    })
  }
}
