/** A value, or what is wrong with the text and what to write instead. */
export type Parsed<Value> = ({ readonly ok: true } & Value) | { readonly ok: false; readonly problem: string }

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
type TimeUnit = keyof typeof unitMs
const timeUnits = Object.keys(unitMs) as readonly TimeUnit[]

const sizes = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
} as const
type SizeUnit = keyof typeof sizes

const durationHelp = 'write a number with ms, s, m, h or d, for example 500ms, 30s or "1h 30m"'
const sizeHelp = 'write a number with B, KiB, MiB, GiB or TiB, for example 64KiB or 1MiB'
const rateHelp = 'write a count and a unit of time, for example 100/s, 30/m or 5/h'

const durationText = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d)\s*)+$/
const durationPart = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g
const sizeText = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB|[kK]B|MB|GB|TB)$/
const rateText = /^(\d+(?:\.\d+)?)\s*\/\s*(s|m|h|d)$/
const bareNumber = /^[+-]?\d+(?:\.\d+)?$/

function failed(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem }
}

/** `5s`, `1h 30m`, …: the units descend and none comes twice. A bare number is refused, because nobody can tell its unit. */
export function parseDuration(input: unknown): Parsed<{ readonly ms: number }> {
  if (typeof input === 'number') return failed(`${input} has no unit: ${durationHelp}`)
  if (typeof input !== 'string') return failed(`this is not a duration: ${durationHelp}`)
  const text = input.trim()
  if (bareNumber.test(text)) return failed(`${quoted(text)} has no unit: ${durationHelp}`)
  // Longer than any sensible duration, and the bound keeps the pattern's work small.
  if (text.length > 64 || !durationText.test(text)) return failed(`${quoted(text)} is not a duration: ${durationHelp}`)
  let total = 0
  let last = -1
  for (const [, count, unit] of text.matchAll(durationPart)) {
    const rank = timeUnits.indexOf(unit as TimeUnit)
    if (rank <= last) return failed(`${quoted(text)} is not a duration: larger units come first, each once`)
    last = rank
    total += Number(count) * unitMs[unit as TimeUnit]
  }
  const ms = Math.round(total)
  if (!Number.isSafeInteger(ms)) return failed(`${quoted(text)} is too long a duration`)
  return { ok: true, ms }
}

/** `64KiB`, `1MiB`; also the decimal `kB`, `MB`, `GB`, `TB`. A bare number is refused. */
export function parseSize(input: unknown): Parsed<{ readonly bytes: number }> {
  if (typeof input === 'number') return failed(`${input} has no unit: ${sizeHelp}`)
  if (typeof input !== 'string') return failed(`this is not a size: ${sizeHelp}`)
  const text = input.trim()
  if (bareNumber.test(text)) return failed(`${quoted(text)} has no unit: ${sizeHelp}`)
  const found = sizeText.exec(text)
  if (found === null) return failed(`${quoted(text)} is not a size: ${sizeHelp}`)
  const bytes = Math.round(Number(found[1]) * sizes[found[2] as SizeUnit])
  if (!Number.isSafeInteger(bytes)) return failed(`${quoted(text)} is too large a size`)
  return { ok: true, bytes }
}

/** How many per second a rate allows, and the count and window as they were written. */
export interface Rate {
  readonly perSecond: number
  readonly count: number
  readonly windowMs: number
}

/** `100/s`, `30/m`, `5/h`, `1000/d`; more than nothing. */
export function parseRate(input: unknown): Parsed<Rate> {
  if (typeof input === 'number') return failed(`${input} has no unit: ${rateHelp}`)
  if (typeof input !== 'string') return failed(`this is not a rate: ${rateHelp}`)
  const text = input.trim()
  if (bareNumber.test(text)) return failed(`${quoted(text)} has no unit: ${rateHelp}`)
  const found = rateText.exec(text)
  if (found === null) return failed(`${quoted(text)} is not a rate: ${rateHelp}`)
  const count = Number(found[1])
  if (!(count > 0 && Number.isFinite(count)))
    return failed(`${quoted(text)} lets nothing or everything through: ${rateHelp}`)
  const windowMs = unitMs[found[2] as TimeUnit]
  return { ok: true, perSecond: (count * 1_000) / windowMs, count, windowMs }
}

/** The duration as `parseDuration` reads it back, exact to the millisecond: `1h 30m`, `0s`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(Math.abs(ms))
  if (!Number.isFinite(rest)) return ms < 0 ? '-∞' : '∞'
  const parts: string[] = []
  for (const unit of timeUnits) {
    const count = Math.floor(rest / unitMs[unit])
    rest -= count * unitMs[unit]
    if (count > 0) parts.push(`${count}${unit}`)
  }
  if (parts.length === 0) return '0s'
  return (ms < 0 ? '-' : '') + parts.join(' ')
}

const shownSizes = ['TiB', 'GiB', 'MiB', 'KiB'] as const

/** The size for people, in the largest unit it fills: whole when exact, else with one decimal. */
export function formatSize(bytes: number): string {
  for (const unit of shownSizes) {
    const count = bytes / sizes[unit]
    if (count >= 1) return `${Number.isInteger(count) ? count : count.toFixed(1)}${unit}`
  }
  return `${Math.round(bytes)}B`
}

/** At most 40 characters of the input: what a person typed is echoed, never a whole file. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
