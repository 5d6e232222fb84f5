import { formatDuration, parseDuration } from '../core/duration.ts'
import { AppError } from '../core/errors.ts'

/** `12,345` — the same on every machine. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** `1 event`, `2 events`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** A duration for people: two units at most below a day's precision, `840ms`, `12.3s`, `4m 5s`, `3h 12m`, `5d 4h`. */
export function span(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1).replace(/\.0$/, '')}s`
  const unit = ms < 3_600_000 ? 1_000 : ms < 86_400_000 ? 60_000 : 3_600_000
  return formatDuration(Math.round(ms / unit) * unit)
}

/** RFC 3339 as people read it: `2026-03-04 05:06:07.089` in UTC. */
export function clock(time: string): string {
  return time.replace('T', ' ').replace(/Z$/, '')
}

/** A whole number from the command line. */
export function wholeNumber(text: string, what: string, least = 0): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : -1
  if (value >= least && Number.isSafeInteger(value)) return value
  throw new AppError('usage', `${what} ${JSON.stringify(text.slice(0, 40))} is not a whole number of at least ${least}`)
}

/** A moment from the command line: RFC 3339, a day, or how long ago (`15m`, `2h`, `7d`). As RFC 3339. */
export function moment(text: string, what: string, nowMs: number): string {
  const ago = parseDuration(text)
  if (ago.ok) return new Date(nowMs - ago.ms).toISOString()
  const isTime = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)
  // Without an offset UTC is meant, as everything that is shown is in UTC.
  const hasOffset = /(?:Z|[+-]\d{2}:\d{2})$/.test(text) && text.length > 10
  const ms = isTime ? Date.parse(hasOffset ? text : text.length > 10 ? `${text}Z` : text) : Number.NaN
  if (!Number.isNaN(ms)) return new Date(ms).toISOString()
  throw new AppError(
    'usage',
    `${what} ${JSON.stringify(text.slice(0, 40))} is no time: write how long ago (15m, 2h, 7d), a day (2026-03-04) or a time (2026-03-04T05:06:07Z)`,
  )
}
