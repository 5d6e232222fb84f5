import type { Json } from '../../core/event.ts'

/** A place in the outside system, as its API writes it. */
export type CursorValue = string | number

/** How times are written for the API. */
export type TimeFormat = 'rfc3339' | 'seconds' | 'milliseconds'

/** The value as a cursor or page token: undefined when there is none, null when it cannot be one. */
export function cursorValueOf(value: Json | undefined): CursorValue | null | undefined {
  if (value === undefined || value === null || value === '' || value === false) return undefined
  if (typeof value === 'string') return value.length <= 4_096 ? value : null
  return typeof value === 'number' ? value : null
}

/** Below, at or above zero as `a` comes before, with or after `b`: times by time, numbers by size, other text by its letters. */
export function compareValues(a: CursorValue, b: CursorValue): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [left, right] = [String(a), String(b)]
  const [leftTime, rightTime] = [timeOf(left), timeOf(right)]
  if (leftTime !== undefined && rightTime !== undefined)
    return leftTime.ms - rightTime.ms || compareText(leftTime.rest, rightTime.rest)
  if (isWhole(left) && isWhole(right)) return compareWhole(left, right)
  return compareText(left, right)
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

const isWhole = (text: string): boolean => /^\d{1,100}$/.test(text)

/** Also beyond 2^53, where APIs write numbers as text. */
function compareWhole(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return left.length - right.length || compareText(left, right)
}

const timeText = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:?\d\d)$/

/** Milliseconds, and the digits of the fraction that they do not hold. */
function timeOf(text: string): { readonly ms: number; readonly rest: string } | undefined {
  const parts = timeText.exec(text)
  if (parts === null) return undefined
  const [, whole, fraction = '', zone] = parts
  const ms = Date.parse(`${whole!.replace(/[t ]/, 'T')}.${fraction.slice(0, 3).padEnd(3, '0')}${zone!.toUpperCase()}`)
  return Number.isNaN(ms) ? undefined : { ms, rest: fraction.slice(3).replace(/0+$/, '') }
}

/** A moment for a request. */
export function writeTime(ms: number, format: TimeFormat): CursorValue {
  if (format === 'milliseconds') return Math.floor(ms)
  if (format === 'seconds') return Math.floor(ms / 1000)
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`
}

/** The moment that many milliseconds before a value that is a time, written as that was; undefined when it is none. */
export function earlierValue(value: CursorValue, byMs: number, format: TimeFormat): CursorValue | undefined {
  const time = typeof value === 'string' ? timeOf(value) : undefined
  if (time !== undefined) {
    const hasFraction = /\.\d/.test(String(value))
    return hasFraction ? new Date(time.ms - byMs).toISOString() : writeTime(time.ms - byMs, 'rfc3339')
  }
  const count = Number(value)
  if (format === 'rfc3339' || !Number.isFinite(count)) return undefined
  const earlier = format === 'seconds' ? Math.floor(count - byMs / 1000) : Math.floor(count - byMs)
  return typeof value === 'string' ? String(earlier) : earlier
}
