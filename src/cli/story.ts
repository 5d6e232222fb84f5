import type { Attempt } from '../core/outcome.ts'
import type { ExplainedDelivery, Explanation } from '../runtime/api.ts'
import type { CliIo } from './io.ts'
import { clock, span } from './numbers.ts'
import { clean, paint, type Style } from './table.ts'

type Painter = Pick<CliIo, 'isTty' | 'env'>

/** An attempt as the API writes it: its time is RFC 3339. */
export interface WireAttempt extends Omit<Attempt, 'at'> {
  readonly at: string
}

/** An explanation as the API writes it. */
export interface WireExplanation extends Omit<Explanation, 'deliveries'> {
  readonly deliveries: readonly WireDelivery[]
}

export interface WireDelivery extends Omit<ExplainedDelivery, 'attempts'> {
  readonly attempts: readonly WireAttempt[]
}

/** Where an event is and why, as a story: what it is, and for each subscription what was asked, tried and comes next. */
export function storyText(io: Painter, { sequence, event, deliveries }: WireExplanation): string {
  const lines: string[] = []
  if (event === undefined) {
    lines.push(`${paint(io, 'bold', `Event ${sequence}`)} is no longer in the log: retention has removed it.`)
  } else {
    const about = event.subject === undefined ? '' : ` about ${clean(event.subject)}`
    lines.push(
      `${paint(io, 'bold', `Event ${sequence}`)}: ${paint(io, 'cyan', clean(event.type))}${about}`,
      `  ${clean(event.id)} from ${clean(event.source)}, recorded ${clock(event.recordedtime)} UTC`,
    )
  }
  if (deliveries.length === 0) lines.push('', 'No subscription has it: the store has no subscriptions.')
  for (const delivery of deliveries) lines.push('', ...deliveryLines(io, delivery))
  return lines.join('\n')
}

const headlines: Readonly<Record<ExplainedDelivery['state'], readonly [Style, string]>> = {
  delivered: ['green', 'delivered'],
  discarded: ['yellow', 'discarded on purpose'],
  superseded: ['yellow', 'superseded by a newer event of its key'],
  expired: ['yellow', 'expired before it was delivered'],
  dead: ['red', 'dead: given up'],
  lost: ['red', 'lost: retention removed it before it was delivered'],
  filtered: ['dim', 'not for this subscription'],
  unexamined: ['yellow', 'not looked at yet'],
  pending: ['yellow', 'on its way'],
  waiting: ['yellow', 'waiting for its next attempt'],
  held: ['yellow', 'held behind an earlier event'],
  leased: ['yellow', 'handed out to a pull client'],
  'before-start': ['dim', 'from before this subscription began'],
}

function deliveryLines(io: Painter, delivery: WireDelivery): string[] {
  const [style, headline] = headlines[delivery.state]
  const when = delivery.settledAt === undefined ? '' : ` at ${clock(delivery.settledAt)} UTC`
  const lines = [`${paint(io, 'bold', clean(delivery.subscription))}: ${paint(io, style, headline)}${when}`]
  for (const { check, value, matched } of delivery.checks) {
    const mark = matched ? paint(io, 'green', '✓') : paint(io, 'red', '✗')
    lines.push(`  ${mark} ${clean(check)} ${matched ? 'matched' : 'did not match'} ${clean(value)}`)
  }
  // The marks above say the same.
  const isSaid = delivery.state === 'filtered' && delivery.checks.some(({ matched }) => !matched)
  if (delivery.reason !== undefined && !isSaid) lines.push(`  because: ${clean(delivery.reason)}`)
  lines.push(...attemptLines(io, delivery))
  if (delivery.next !== undefined) lines.push(`  next: ${clean(delivery.next)}`)
  return lines
}

function attemptLines(io: Painter, { attempts, attemptCount }: WireDelivery): string[] {
  const first = attemptCount - attempts.length
  const lines = attempts.map((attempt, index) => {
    const style: Style = attempt.outcome === 'ack' ? 'green' : attempt.outcome === 'retry' ? 'yellow' : 'red'
    const reason = attempt.reason === undefined ? '' : `: ${clean(attempt.reason)}`
    const detail = attempt.detail === undefined ? '' : ` ${clean(JSON.stringify(attempt.detail))}`
    return `  attempt ${first + index + 1} at ${clock(attempt.at)} UTC, ${clean(attempt.step)}, ${span(attempt.durationMs)}: ${paint(io, style, attempt.outcome)}${reason}${detail}`
  })
  if (first > 0 && attempts.length > 0) lines.unshift(`  (${first} earlier attempts are no longer kept)`)
  if (attempts.length === 0 && attemptCount > 0)
    lines.push(`  ${attemptCount === 1 ? '1 attempt' : `${attemptCount} attempts`}`)
  return lines
}
