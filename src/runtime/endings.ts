import { decide } from '../core/delivery.ts'
import { depthOf, withDepth } from '../core/derived.ts'
import { formatDuration } from '../core/duration.ts'
import { messageOf } from '../core/errors.ts'
import type { Event, Sequence } from '../core/event.ts'
import type { DeadRow } from '../core/ledger-state.ts'
import { isReservedType } from '../core/match.ts'
import { notBeforeOf } from '../core/not-before.ts'
import type { Outcome } from '../core/outcome.ts'
import { ttlOf } from '../core/ttl.ts'
import type { RetryPolicies } from '../plugin/retry-setting.ts'
import type { Call } from './calls.ts'
import type { Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { isRepeatable, unknownEnd } from './once.ts'
import { type SystemEventType, systemEvent } from './system-events.ts'
import { storedForm, upcastFailure } from './upcasting.ts'

/** What becomes of a delivery after an attempt: settled, remembered in a row, or dead; and what that means for its key. */
export class Endings {
  readonly #lane: Lane

  constructor(lane: Lane) {
    this.#lane = lane
  }

  applyAll(
    flights: readonly Flight[],
    outcomes: readonly Outcome[] | undefined,
    thrown: unknown,
    facts: { at: number; call: Call },
  ): void {
    const counts = this.#lane.attempts.sink
    if (thrown === undefined && !outcomes) {
      counts.pass(flights.length)
      for (const flight of flights) this.deliver(flight)
      return
    }
    for (let i = 0; i < flights.length; i++) {
      const outcome = thrown === undefined ? outcomes![i]! : this.#outcomeOfFailure(thrown, facts.call)
      counts.count(outcome)
      this.apply(flights[i]!, outcome, { ...facts, step: 'sink', hasThrown: thrown !== undefined })
    }
  }

  #outcomeOfFailure(thrown: unknown, { hasTimedOut }: Call): Outcome {
    const reason = hasTimedOut ? `timed out after ${this.#lane.policy.timeoutMs} ms` : messageOf(thrown)
    return isRepeatable(this.#lane) ? { outcome: 'retry', reason } : { outcome: 'reject', reason: unknownEnd(reason) }
  }

  /** `policy` is that of a stage; a sink's is the subscription's. */
  apply(
    flight: Flight,
    outcome: Outcome,
    facts: { at: number; step: string; hasThrown: boolean; call: Call; policy?: RetryPolicies },
  ): void {
    // The way of most deliveries: nothing to remember and nothing to decide.
    if (outcome.outcome === 'ack' && outcome.detail === undefined && !this.#lane.isStopping) {
      this.deliver(flight)
      return
    }
    const nowMs = this.#lane.around.platform.clock.now()
    if (outcome.isWait === true) {
      flight.attempt -= 1
      flight.attemptCount -= 1
      this.wait(flight, nowMs + outcome.delayMs!)
      return
    }
    const durationMs = Math.max(0, nowMs - facts.at)
    // A filter discards thousands at once, all alike: a record of each would be longer than the events.
    const isAtOnce = durationMs === 0 && outcome.detail === undefined && flight.attempts.length === 0
    const isPlain = outcome.outcome === 'ack' ? outcome.detail === undefined : outcome.outcome === 'discard' && isAtOnce
    if (!isPlain) {
      flight.remember({
        at: facts.at,
        durationMs,
        step: facts.step,
        outcome: outcome.outcome,
        reason: outcome.reason,
        detail: outcome.detail,
      })
    }
    if (this.#lane.isStopping && facts.call.hasTimedOut) return
    const policy = facts.policy ?? { retry: this.#lane.policy.retry, throwAttempts: Number.POSITIVE_INFINITY }
    const decision = decide(
      policy,
      outcome,
      { attempt: flight.attempt, hasThrown: facts.hasThrown, nowMs },
      this.#lane.around.platform.random,
    )
    switch (decision.kind) {
      case 'advance':
        this.deliver(flight)
        return
      case 'discard':
        this.settle(flight, 'discarded', decision.reason, isPlain ? facts.step : undefined)
        return
      case 'wait':
        this.#lane.ledger.countAttempts(1, 1)
        this.wait(flight, decision.dueAt)
        return
      case 'die':
        this.#lane.ledger.countAttempts(1, 0)
        this.die(flight, decision.reason, outcome.reason)
        if (decision.disable) this.stopWith('disabled', decision.reason)
        return
    }
  }

  /** Again later; unless a newer event of its key has taken over, or it will be too old by then. */
  wait(flight: Flight, dueAt: number): void {
    const at = Math.min(dueAt, this.#expiresAt(flight))
    if (flight.group !== undefined && this.#lane.coalescer?.reopen(flight, at) === false) {
      this.#settleSuperseded(flight)
      return
    }
    this.putRow(flight, at, true)
    this.#leaveMemory(flight)
    this.#lane.due.expect(at)
  }

  #settleSuperseded(flight: Flight): void {
    this.#lane.ledger.settle(flight.sequence, 'superseded', flight.from, {
      reason: 'superseded by a newer event while its attempt was under way',
      attemptCount: flight.attemptCount,
      attempts: flight.attempts,
    })
    this.#leaveMemory(flight)
    this.#lane.around.settler().touch(this.#lane)
  }

  /** When it is too old to be delivered; redriven ones are wanted by somebody, whatever their age. */
  #expiresAt(flight: Flight): number {
    const { ttl } = this.#lane.policy
    if (ttl === undefined || flight.redriven !== undefined) return Number.POSITIVE_INFINITY
    const ms = ttlOf(ttl, flight.event.type)
    return ms === undefined ? Number.POSITIVE_INFINITY : wantedFrom(flight.event) + ms
  }

  /** Settles a delivery that cannot be tried: its event is too old, or could not be brought to the version asked for. */
  expireIfOld(flight: Flight): boolean {
    if (this.#lane.setup.see !== undefined && this.#dieIfNotUpcast(flight)) return true
    if (this.#lane.policy.ttl === undefined) return false
    const expiresAt = this.#expiresAt(flight)
    if (this.#lane.around.platform.clock.now() < expiresAt) return false
    const lived = formatDuration(expiresAt - wantedFrom(flight.event))
    this.settle(flight, 'expired', `older than its time to live of ${lived}`)
    return true
  }

  #dieIfNotUpcast(flight: Flight): boolean {
    const failure = upcastFailure(flight.event)
    if (failure !== undefined) this.die(flight, failure)
    return failure !== undefined
  }

  deliver(flight: Flight): void {
    if (flight.from === 'pending' && flight.attemptCount === 1 && flight.attempts.length === 0) {
      this.#lane.ledger.deliverPending(flight.sequence)
      this.#lane.around.settler().touch(this.#lane)
      this.#lane.inMemory -= 1
      this.#lane.fair?.left(flight)
      if (flight.key !== undefined) this.#release(flight)
      return
    }
    this.settle(flight, 'delivered')
  }

  settle(flight: Flight, state: 'delivered' | 'discarded' | 'expired' | 'lost', reason?: string, step?: string): void {
    this.#lane.ledger.countAttempts(state === 'lost' || state === 'expired' ? 0 : 1, 0)
    this.#lane.ledger.settle(flight.sequence, state, flight.from, {
      reason,
      attemptCount: flight.attemptCount,
      attempts: flight.attempts,
      step,
    })
    this.#leaveHeld(flight)
    this.#leaveMemory(flight)
    this.#lane.around.settler().touch(this.#lane)
    this.#release(flight)
  }

  /** Into the dead letters; under `park` the key stays behind it, under `halt` the subscription stops. */
  die(flight: Flight, reason: string, error?: string): void {
    const diedAt = this.#lane.around.platform.clock.now()
    const row: DeadRow = {
      sequence: flight.sequence,
      event:
        flight.replaced === undefined
          ? storedForm(flight.event).record
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
    if (this.#lane.fair !== undefined) this.#leaveHeld(flight)
    this.#leaveMemory(flight)
    this.bury(row, flight.from, !flight.isOut)
    if (flight.group !== undefined && !flight.isOut) this.#lane.coalescer?.end(flight)
  }

  /** A dead letter, whether its delivery ever came into memory or not. */
  bury(row: DeadRow, from: Flight['from'], isHeadOfKey = true): void {
    const { sequence, reason } = row
    const key = isHeadOfKey ? row.key : undefined
    this.#lane.ledger.bury(row, from)
    if (from === 'held' && this.#lane.order !== undefined)
      this.#lane.ledger.rewriteHeld(row.key!, this.#lane.order!.leaveHeld(row.key!, sequence))
    // The death of news about the engine is no news: told, it could be its own cause for ever.
    const { event } = row
    if (event === undefined || !isReservedType(event.type))
      this.#tell('millrace.dead', { sequence, reason }, event && depthOf(event))
    this.#lane.around.settler().touch(this.#lane)
    if (this.#lane.policy.onFailure === 'park' && key !== undefined) {
      this.holdQueue(key, sequence)
      return
    }
    if (this.#lane.policy.onFailure === 'halt') this.stopWith('halted', `event ${sequence} died: ${reason}`)
    if (key !== undefined) this.#lane.releaseKey(key)
  }

  stopWith(state: 'halted' | 'disabled', reason: string): void {
    this.#lane.ledger.setState(state, reason)
    this.#lane.around.log.warn(`subscription ${this.#lane.name} is ${state}`, { reason })
    this.#tell(state === 'disabled' ? 'millrace.disabled' : 'millrace.halted', { reason })
    this.#lane.around.settler().touch(this.#lane)
  }

  /** News about an event is derived from it: so a circle through its death comes to an end, too. */
  #tell(type: SystemEventType, data: Readonly<Record<string, unknown>>, depth = 0): void {
    const { settler, platform } = this.#lane.around
    settler().derive([withDepth(systemEvent(type, this.#lane.name, platform, data), depth + 1)])
  }

  /** The delivery is remembered in a row; while it waits there, what is behind it in its key waits too. */
  putRow(flight: Flight, dueAt: number, waits: boolean): void {
    this.#lane.ledger.putRow(flight.toRow(dueAt), flight.from)
    this.#leaveHeld(flight)
    flight.from = 'row'
    if (waits && flight.key !== undefined && this.#lane.order !== undefined) this.holdQueue(flight.key, flight.sequence)
    this.#lane.due.keep(flight)
    this.#lane.around.settler().touch(this.#lane)
  }

  holdQueue(key: string, head: Sequence): void {
    const { order } = this.#lane
    // A row may have the key of an order that the configuration no longer asks for.
    if (order === undefined) return
    const queued = order.block(key, head)
    if (queued.length === 0) return
    this.#lane.inMemory -= queued.length
    // One with a row of its own (put back from the dead letters, say) waits there, and looks again whether its key is free.
    const asleep = queued.filter(({ from }) => from === 'row')
    for (const { sequence } of asleep) {
      order.leaveHeld(key, sequence)
      this.#lane.due.forget(sequence)
    }
    this.#lane.ledger.hold(
      key,
      order.held(key),
      queued.map(({ sequence }) => sequence),
    )
    if (asleep.length > 0) this.#lane.due.expect(this.#lane.around.platform.clock.now())
  }

  #leaveHeld(flight: Flight): void {
    if (flight.from !== 'held') return
    if (this.#lane.fair !== undefined) {
      this.#lane.fair.leaveHeld(flight)
      return
    }
    this.#lane.ledger.rewriteHeld(flight.key!, this.#lane.order!.leaveHeld(flight.key!, flight.sequence))
  }

  #leaveMemory(flight: Flight): void {
    this.#lane.inMemory -= 1
    this.#lane.due.forget(flight.sequence)
    this.#lane.fair?.left(flight)
  }

  #release(flight: Flight): void {
    if (flight.isOut) return
    if (flight.group !== undefined) this.#lane.coalescer?.end(flight)
    if (flight.key === undefined || this.#lane.order === undefined) return
    this.#lane.releaseKey(flight.key)
  }
}

/** Its time to live begins when it may be delivered. */
function wantedFrom(event: Event): number {
  return Math.max(event.record.appendedAt, notBeforeOf(event) ?? 0)
}
