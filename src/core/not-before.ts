import type { Event } from './event.ts'
import { timeProblem } from './event-fields.ts'

/** The meta entry that carries `notBefore`: a CloudEvents extension, so that it is stored and travels with the event. */
export const notBeforeName = 'notbefore'

/** How far ahead it may lie: a year, which may have 366 days. What is later is a mistake, or belongs in a calendar. */
const maxAheadMs = 366 * 86_400_000

/** What is wrong with such a time. Without `nowMs` it may lie as far ahead as it likes. */
export function notBeforeProblem(text: string, nowMs: number | undefined): string | undefined {
  const problem = timeProblem(text)
  if (problem !== undefined) return problem
  const ms = globalThis.Date.parse(text)
  if (Number.isNaN(ms)) return 'names a leap second: name the second after it'
  return nowMs !== undefined && ms - nowMs > maxAheadMs ? 'is more than a year ahead' : undefined
}

/** Before when the event is not to be delivered, milliseconds since 1970; undefined: at once. */
export function notBeforeOf(event: Event): number | undefined {
  // Asked for each delivery: the text is only parsed where it may be there.
  if (event.record.meta?.includes(quoted) !== true) return undefined
  const text = event.meta[notBeforeName]
  const ms = typeof text === 'string' ? globalThis.Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

const quoted = `"${notBeforeName}"`
