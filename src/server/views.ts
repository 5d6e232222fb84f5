import { eventToJson } from '../core/cloud-event.ts'
import { Event, timeText } from '../core/event.ts'
import type { DeadRow } from '../core/ledger-state.ts'
import type { Attempt } from '../core/outcome.ts'
import type { ExplainedDelivery } from '../runtime/api.ts'
import { hidden } from './shown.ts'

/** A delivery for the wire: times as RFC 3339. */
export function deliveryView(delivery: ExplainedDelivery, isGuarded = false): unknown {
  const attempts = delivery.attempts.map(attemptView)
  if (!isGuarded) return { ...delivery, attempts }
  // What an expression met, and what a receiver or a program said, may be the content of the event.
  const isAbout = (check: string): boolean => check.startsWith('where ')
  const checks = delivery.checks.map((each) => (isAbout(each.check) ? { ...each, value: hidden } : each))
  const failed = checks.find(({ check, matched }) => !matched && isAbout(check))
  const isMissed = delivery.state === 'filtered' && failed !== undefined
  // The name of its key may be the value that is kept back.
  const inLine = delivery.state === 'held' ? 'an earlier event of its key is not settled' : delivery.reason
  return {
    ...delivery,
    reason: isMissed ? `${failed.check} did not match` : inLine,
    checks,
    attempts: attempts.map(withoutTexts),
  }
}

/** Numbers stay: a status or an exit code says nothing of the event. */
function withoutTexts<A extends Pick<Attempt, 'detail'>>(attempt: A): A {
  const { detail } = attempt
  if (detail === undefined) return attempt
  return {
    ...attempt,
    detail: Object.fromEntries(Object.entries(detail).filter(([, value]) => typeof value !== 'string')),
  }
}

/** A dead letter as JSON text: the event's data is copied as the producer wrote it. */
export function deadText(row: DeadRow, shown: (event: Event) => Event, isGuarded: boolean): string {
  const { sequence, reason, error, attemptCount } = row
  const facts = JSON.stringify({
    reason,
    // Of one that cannot be read it says why, and the far side has said nothing.
    error: isGuarded && row.event !== undefined ? undefined : error,
    attempts: row.attempts.map(attemptView).map((each) => (isGuarded ? withoutTexts(each) : each)),
    attemptCount,
    diedAt: timeText(row.diedAt),
  })
  return `{"sequence":${sequence},"event":${row.event === undefined ? 'null' : eventToJson(shown(new Event(row.event)))},${facts.slice(1)}`
}

/** An attempt for the wire. */
export function attemptView(attempt: Attempt): Omit<Attempt, 'at'> & { readonly at: string } {
  return { ...attempt, at: timeText(attempt.at) }
}
