import { decide } from '../core/delivery.ts'
import { messageOf } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import type { DeadRow } from '../core/ledger-state.ts'
import type { Outcome } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Call } from './calls.ts'
import type { Flight } from './flight.ts'
import type { Lane } from './lane.ts'
import { systemEvent } from './system-events.ts'

/** What becomes of a delivery after an attempt: settled, remembered in a row, or dead; and what that means for its key. */
export class Endings {
  readonly #lane: Lane

  constructor(lane: Lane) {
    this.#lane = lane
  }

  applyAll(
    flights: readonly Flight[],
    outcomes: readonly Outcome[] | undefined | undefined,
    thrown: unknown,
    facts: { at: number; call: Call },
  ): void {
    const failure =
      thrown ??
      (outcomes && outcomes.length !== flights.length
        ? new Error(`the sink answered ${outcomes.length} outcomes for ${flights.length} deliveries`)
        : undefined)
    if (failure === undefined && !outcomes) {
      for (const flight of flights) this.deliver(flight)
      return
    }
    for (let i = 0; i < flights.length; i++) {
      const reason = facts.call.hasTimedOut ? `timed out after ${this.#lane.policy.timeoutMs} ms` : messageOf(failure)
      const outcome: Outcome = failure === undefined ? outcomes![i]! : { outcome: 'retry', reason }
      this.apply(flights[i]!, outcome, { ...facts, step: 'sink', hasThrown: failure !== undefined })
    }
  }

  apply(flight: Flight, outcome: Outcome, facts: { at: number; step: string; hasThrown: boolean; call: Call }): void {
    const nowMs = this.#lane.around.platform.clock.now()
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
    if (this.#lane.isStopping && facts.call.hasTimedOut) return
    const policy =
      facts.step === 'sink'
        ? { retry: this.#lane.policy.retry, throwAttempts: Number.POSITIVE_INFINITY }
        : stagePolicy(this.#lane.policy)
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
        this.settle(flight, 'discarded', decision.reason)
        return
      case 'wait':
        this.#lane.ledger.countAttempts(1, 1)
        this.putRow(flight, decision.dueAt, true)
        this.#leaveMemory(flight)
        this.#lane.due.expect(decision.dueAt)
        return
      case 'die':
        this.#lane.ledger.countAttempts(1, 0)
        this.die(flight, decision.reason, outcome.reason)
        if (decision.disable) this.stopWith('disabled', decision.reason)
        return
    }
  }

  deliver(flight: Flight): void {
    if (flight.from === 'pending' && flight.attemptCount === 1 && flight.attempts.length === 0) {
      this.#lane.ledger.deliverPending(flight.sequence)
      this.#lane.around.settler().touch(this.#lane)
      this.#lane.inMemory -= 1
      if (flight.key !== undefined) this.#release(flight)
      return
    }
    this.settle(flight, 'delivered')
  }

  settle(flight: Flight, state: 'delivered' | 'discarded' | 'lost', reason?: string): void {
    this.#lane.ledger.countAttempts(state === 'lost' ? 0 : 1, 0)
    this.#lane.ledger.settle(flight.sequence, state, flight.from, {
      reason,
      attemptCount: flight.attemptCount,
      attempts: flight.attempts,
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
    this.#lane.ledger.bury(row, flight.from)
    this.#leaveHeld(flight)
    this.#leaveMemory(flight)
    this.#lane.around.settler().derive([
      systemEvent('millrace.dead', this.#lane.name, this.#lane.around.platform, {
        sequence: flight.sequence,
        reason,
      }),
    ])
    this.#lane.around.settler().touch(this.#lane)
    if (this.#lane.policy.onFailure === 'park' && flight.key !== undefined) {
      this.holdQueue(flight.key, flight.sequence)
      return
    }
    if (this.#lane.policy.onFailure === 'halt') this.stopWith('halted', `event ${flight.sequence} died: ${reason}`)
    this.#release(flight)
  }

  stopWith(state: 'halted' | 'disabled', reason: string): void {
    this.#lane.ledger.setState(state, reason)
    this.#lane.around.log.warn(`subscription ${this.#lane.name} is ${state}`, { reason })
    if (state === 'disabled')
      this.#lane.around
        .settler()
        .derive([systemEvent('millrace.disabled', this.#lane.name, this.#lane.around.platform, { reason })])
    this.#lane.around.settler().touch(this.#lane)
  }

  /** The delivery is remembered in a row; while it waits there, what is behind it in its key waits too. */
  putRow(flight: Flight, dueAt: number, waits: boolean): void {
    this.#lane.ledger.putRow(flight.toRow(dueAt), flight.from)
    this.#leaveHeld(flight)
    flight.from = 'row'
    if (waits && flight.key !== undefined) this.holdQueue(flight.key, flight.sequence)
    this.#lane.due.track(flight)
    this.#lane.around.settler().touch(this.#lane)
  }

  holdQueue(key: string, head: Sequence): void {
    const queued = this.#lane.order!.block(key, head)
    if (queued.length === 0) return
    this.#lane.inMemory -= queued.length
    this.#lane.ledger.hold(
      key,
      this.#lane.order!.held(key),
      queued.map(({ sequence }) => sequence),
    )
  }

  #leaveHeld(flight: Flight): void {
    if (flight.from !== 'held') return
    this.#lane.ledger.rewriteHeld(flight.key!, this.#lane.order!.leaveHeld(flight.key!, flight.sequence))
  }

  #leaveMemory(flight: Flight): void {
    this.#lane.inMemory -= 1
    this.#lane.due.forget(flight)
  }

  #release(flight: Flight): void {
    if (flight.key === undefined || this.#lane.order === undefined) return
    this.#lane.releaseKey(flight.key)
  }
}

function stagePolicy(policy: SubscriptionPolicy): { retry: SubscriptionPolicy['retry']; throwAttempts: number } {
  return { retry: { ...policy.retry, attempts: Number.POSITIVE_INFINITY }, throwAttempts: policy.throwAttempts }
}
