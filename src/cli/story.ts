import type { Attempt } from '../core/outcome.ts'
import type { ExplainedDelivery, Explanation } from '../runtime/api.ts'
import type { CliIo } from './io.ts'
import { clock, counted, span } from './numbers.ts'
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
export function storyText(io: Painter, { sequence, event, unreadable, deliveries }: WireExplanation): string {
  const lines: string[] = []
  if (unreadable !== undefined) {
    lines.push(
      `${paint(io, 'bold', `Event ${sequence}`)} ${paint(io, 'red', 'cannot be read')}: ${clean(unreadable, 500)}`,
    )
  } else if (event === undefined) {
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
  const whose = delivery.replay === undefined ? '' : `, replay ${clean(delivery.replay)}`
  const lines = [
    `${paint(io, 'bold', `${clean(delivery.subscription)}${whose}`)}: ${paint(io, style, headline)}${when}`,
  ]
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

function attemptLines(io: Painter, { state, attempts, attemptCount }: WireDelivery): string[] {
  const last = attempts.at(-1)
  if (last === undefined) return attemptCount > 0 ? [`  ${counted(attemptCount, 'attempt')}`] : []
  // Steps that went well have no record of their own. What failed in the sink and was delivered went well there afterwards.
  const isDone = state === 'delivered' && last.outcome === 'retry'
  const after = isDone && last.step === 'sink' ? 1 : 0
  // A redriven delivery counts its attempts anew and keeps the records of those before; of very many only the newest are kept.
  const offset = attemptCount - attempts.length - after
  const isNumbered = !isDone || after === 1
  const lines = attempts.map((attempt, index) => {
    const number = offset + index + 1
    const style: Style = attempt.outcome === 'ack' ? 'green' : attempt.outcome === 'retry' ? 'yellow' : 'red'
    const said = [attempt.outcome, attempt.reason, detailText(attempt)].filter((part) => part !== undefined)
    const name = !isNumbered ? 'an attempt' : number < 1 ? 'before the redrive' : `attempt ${number}`
    const when = `${clock(attempt.at)} UTC, ${clean(attempt.step)}, ${span(attempt.durationMs)}`
    return `  ${name}: ${when}: ${paint(io, style, clean(said[0]!))}${said
      .slice(1)
      .map((part) => `, ${clean(part)}`)
      .join('')}`
  })
  const where = isNumbered ? ' before' : ''
  if (offset > 0)
    lines.unshift(`  (${counted(offset, 'attempt')}${where} without a record: steps that went well, or very many)`)
  if (after === 1) lines.push(`  attempt ${attemptCount}: ${paint(io, 'green', 'ack')}`)
  return lines
}

/** `status 503`: facts of the far side; how long it took and a reason that is the exit code are said already. */
function detailText({ detail, reason }: WireAttempt): string | undefined {
  const facts = Object.entries(detail ?? {}).filter(
    ([name, value]) => name !== 'durationMs' && !(name === 'exitCode' && reason === `exit code ${value}`),
  )
  if (facts.length === 0) return undefined
  return facts
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value.trimEnd() : JSON.stringify(value)}`)
    .join(', ')
}
