import { eventToJson } from '../core/cloud-event.ts'
import { Event, timeText } from '../core/event.ts'
import type { DeadRow } from '../core/ledger-state.ts'
import type { Attempt } from '../core/outcome.ts'
import type { ExplainedDelivery } from '../runtime/api.ts'

/** A delivery for the wire: times as RFC 3339. */
export function deliveryView(delivery: ExplainedDelivery): unknown {
  return { ...delivery, attempts: delivery.attempts.map(attemptView) }
}

/** A dead letter as JSON text: the event's data is copied as the producer wrote it. */
export function deadText(row: DeadRow): string {
  const { sequence, reason, error, attemptCount } = row
  const facts = JSON.stringify({
    reason,
    error,
    attempts: row.attempts.map(attemptView),
    attemptCount,
    diedAt: timeText(row.diedAt),
  })
  return `{"sequence":${sequence},"event":${row.event === undefined ? 'null' : eventToJson(new Event(row.event))},${facts.slice(1)}`
}

/** An attempt for the wire. */
export function attemptView(attempt: Attempt): Omit<Attempt, 'at'> & { readonly at: string } {
  return { ...attempt, at: timeText(attempt.at) }
}
