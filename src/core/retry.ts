import type { RetryPolicy } from './plan.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute

/** The schedule that Standard Webhooks recommends: ten attempts over a little more than three days. */
export const standardWebhooksRetry: RetryPolicy = Object.freeze({
  attempts: 10,
  delaysMs: Object.freeze([
    5 * second,
    5 * minute,
    30 * minute,
    2 * hour,
    5 * hour,
    10 * hour,
    14 * hour,
    20 * hour,
    24 * hour,
  ]),
  backoff: Object.freeze({ baseMs: 5 * second, factor: 2, maxMs: 24 * hour }),
  jitter: 0.2,
  retryAfterMaxMs: 24 * hour,
})

/** For steps inside the process: one that returns `retry` is not ill, so it may go on for ever. */
export const defaultRetry: RetryPolicy = Object.freeze({
  attempts: Number.POSITIVE_INFINITY,
  delaysMs: Object.freeze([]),
  backoff: Object.freeze({ baseMs: second, factor: 2, maxMs: 5 * minute }),
  jitter: 0.5,
  retryAfterMaxMs: 24 * hour,
})

/** For best-effort subscriptions: a few tries soon after one another, because what waits is in memory. */
export const bestEffortRetry: RetryPolicy = Object.freeze({
  attempts: 4,
  delaysMs: Object.freeze([second, 5 * second, 30 * second]),
  backoff: Object.freeze({ baseMs: second, factor: 2, maxMs: 30 * second }),
  jitter: 0.2,
  retryAfterMaxMs: minute,
})

/** How often a step that throws is tried in all. */
export const defaultThrowAttempts = 10

/**
 * How long to wait after `attempt` attempts have been made; undefined when the policy allows no more.
 * The policy's delay d becomes a random one within [d·(1 − jitter), d]; `wantedMs` (a Retry-After) is a minimum,
 * honoured up to `retryAfterMaxMs`.
 */
export function nextDelayMs(
  policy: RetryPolicy,
  attempt: number,
  random: () => number,
  wantedMs?: number,
): number | undefined {
  if (attempt >= policy.attempts) return undefined
  const fullMs = Math.round(plainDelayMs(policy, Math.max(1, attempt)))
  // Rounded up: the full delay is whole, so the result stays inside the interval.
  const delayMs = Math.ceil(fullMs - fullMs * policy.jitter * random())
  if (wantedMs === undefined || Number.isNaN(wantedMs)) return delayMs
  return Math.max(delayMs, Math.ceil(Math.min(wantedMs, policy.retryAfterMaxMs)))
}

function plainDelayMs(policy: RetryPolicy, attempt: number): number {
  const listed = policy.delaysMs[Math.min(attempt, policy.delaysMs.length) - 1]
  if (listed !== undefined) return listed
  const { baseMs, factor, maxMs } = policy.backoff
  const grown = baseMs * factor ** (attempt - 1)
  // 0 · ∞ is not a number; a base of nothing stays nothing.
  return Number.isNaN(grown) ? 0 : Math.min(grown, maxMs)
}

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const fixDate = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const oldDate = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const ascDate = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/** A `Retry-After` as milliseconds from now: seconds or any HTTP date; 0 when past, undefined when not understood. */
export function parseRetryAfter(text: string, nowMs: number): number | undefined {
  const trimmed = text.trim()
  if (/^\d+$/.test(trimmed)) return Math.min(Number(trimmed) * second, Number.MAX_SAFE_INTEGER)
  const dateMs = parseHttpDate(trimmed, nowMs)
  return dateMs === undefined ? undefined : Math.max(0, dateMs - nowMs)
}

/** The three forms that RFC 9110 makes a recipient accept. */
function parseHttpDate(text: string, nowMs: number): number | undefined {
  const fix = fixDate.exec(text)
  if (fix !== null) return utcMs(Number(fix[3]), fix[2]!, fix[1]!, fix.slice(4))
  const asc = ascDate.exec(text)
  if (asc !== null) return utcMs(Number(asc[6]), asc[1]!, asc[2]!, asc.slice(3, 6))
  const old = oldDate.exec(text)
  if (old === null) return undefined
  // Two digits name the year that is less than 50 years gone or at most 50 years ahead.
  const oldest = new globalThis.Date(nowMs).getUTCFullYear() - 49
  const year = oldest + ((((Number(old[3]) - oldest) % 100) + 100) % 100)
  return utcMs(year, old[2]!, old[1]!, old.slice(4))
}

function utcMs(year: number, monthName: string, day: string, clock: readonly string[]): number | undefined {
  const month = monthNames.indexOf(monthName)
  const [hours, minutes, seconds] = clock.map(Number) as [number, number, number]
  if (month === -1 || Number(day) < 1 || Number(day) > 31 || hours > 23 || minutes > 59 || seconds > 60)
    return undefined
  return globalThis.Date.UTC(year, month, Number(day), hours, minutes, seconds)
}
