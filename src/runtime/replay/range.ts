import { parseRate } from '../../core/duration.ts'
import { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import { timeProblem } from '../../core/event-fields.ts'
import { checkPattern } from '../../core/match.ts'
import type { SubscriptionPolicy } from '../../core/plan.ts'
import type { Store } from '../../plugin/store.ts'
import { type ReplayOptions, replayTtls } from './face.ts'

/** A range of the log, fixed in the moment it is asked for. */
export interface Range {
  readonly from: Sequence
  readonly to: Sequence
  /** Events between what was asked for and `from` that are no longer kept. */
  readonly removed: number
}

/** Deliveries a second where nobody says otherwise: what any receiver of webhooks should stand beside its live traffic. */
const defaultRate = '100/s'
/** Values of one filter. */
const mostValues = 100

type Bound = { readonly sequence: Sequence } | { readonly timeMs: number }

/** Checks everything that is not a matter of the store. */
export function checkOptions(name: string, options: ReplayOptions): void {
  const refuse = (problem: string): never => {
    throw new AppError('bad-request', `replaying ${name} failed: ${problem}`)
  }
  for (const [filter, values] of Object.entries({
    match: options.match,
    source: options.source,
    subject: options.subject,
  }))
    if (values !== undefined && (values.length === 0 || values.length > mostValues))
      refuse(`${filter} needs 1 to ${mostValues} values; leave it out for all`)
  for (const pattern of options.match ?? []) {
    const problem = checkPattern(pattern)
    if (problem !== undefined) refuse(`match: ${problem}`)
  }
  if (options.ttl !== undefined && !replayTtls.includes(options.ttl)) refuse(`ttl is ${replayTtls.join(' or ')}`)
}

/** The sequences that a range means now. */
export async function rangeOf(store: Store, name: string, { from, to }: ReplayOptions): Promise<Range> {
  const head = store.head()
  const first = boundOf(name, 'from', from)
  const last = to === undefined ? { sequence: head } : boundOf(name, 'to', to)
  const asked = 'sequence' in first ? first.sequence : await store.sequenceAt(first.timeMs)
  const end = Math.min(head, 'sequence' in last ? last.sequence : (await store.sequenceAt(last.timeMs)) - 1)
  const start = Math.max(asked, store.oldest())
  return { from: start, to: end, removed: Math.max(0, Math.min(start, end + 1) - asked) }
}

function boundOf(name: string, which: 'from' | 'to', given: number | string): Bound {
  const text = String(given).trim()
  if (/^\d{1,16}$/.test(text)) {
    const sequence = Number(text)
    if (sequence >= 1 && Number.isSafeInteger(sequence)) return { sequence }
  } else if (typeof given === 'string' && timeProblem(text) === undefined)
    return { timeMs: globalThis.Date.parse(text) }
  throw new AppError(
    'bad-request',
    `replaying ${name} failed: ${which} is a sequence from 1, or a time such as 2026-01-31T12:00:00Z`,
  )
}

/** The rate of a replay; the receiver's own limit also bounds what comes beside live traffic. */
export function rateOf(
  name: string,
  given: string | undefined,
  { rate: own }: Pick<SubscriptionPolicy, 'rate'>,
): string {
  if (given === undefined) {
    const half = own === undefined ? Number.POSITIVE_INFINITY : own.perSecond / 2
    return half < 100 ? `${half * 3600}/h` : defaultRate
  }
  const parsed = parseRate(given)
  if (!parsed.ok) throw new AppError('bad-request', `replaying ${name} failed: rate: ${parsed.problem}`)
  if (own !== undefined && parsed.perSecond > own.perSecond)
    throw new AppError(
      'bad-request',
      `replaying ${name} failed: the subscription itself makes at most ${own.perSecond} deliveries a second, and a replay not more than that`,
    )
  return given.trim()
}
