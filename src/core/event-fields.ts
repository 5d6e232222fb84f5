/** True for an object that a literal or `JSON.parse` made: no array, no instance of a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Asked this way, an object of another realm (a vm, a test runner) counts too.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** What is wrong with an attribute's text, as the end of a sentence; undefined when nothing is. */
export function textProblem(text: string, maxLength: number): string | undefined {
  if (text === '') return 'is empty'
  if (text.length > maxLength) return `is longer than ${maxLength} characters`
  if (!unstorable.test(text)) return undefined
  return text.isWellFormed() ? 'holds a control character' : 'holds half of a surrogate pair'
}

/** Control characters, and surrogates that are half of a pair. */
const unstorable = /[\p{Cc}\p{Cs}]/u

/** What is wrong with a type: dot-separated segments of letters, digits, `_` and `-`. */
export function typeProblem(type: string): string | undefined {
  let isStart = true
  for (let at = 0; at < type.length; at++) {
    const code = type.charCodeAt(at)
    if (code === 0x2e && !isStart) isStart = true
    else if (isTypeCharacter(code)) isStart = false
    else return code === 0x2e ? emptySegment : 'may hold only letters, digits, _ and - in its segments'
  }
  return isStart ? emptySegment : undefined
}

const emptySegment = 'has an empty segment: write it as order.placed'

function isTypeCharacter(code: number): boolean {
  const isLetter = (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)
  return isLetter || (code >= 0x30 && code <= 0x39) || code === 0x5f || code === 0x2d
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))$/

/** What is wrong with a time: RFC 3339 with a zone, and a day that exists. */
export function timeProblem(text: string): string | undefined {
  const parts = rfc3339.exec(text)
  if (parts === null) return 'is not RFC 3339: write it as 2026-01-31T12:00:00Z'
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const isDay = month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month)
  const zoneHour = Number(parts[7] ?? 0)
  const zoneMinute = Number(parts[8] ?? 0)
  // A leap second is a time that happened.
  const isClock = hour <= 23 && minute <= 59 && second <= 60 && zoneHour <= 23 && zoneMinute <= 59
  return isDay && isClock ? undefined : 'names a day or hour that does not exist'
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** True when the content type is JSON, as it is when nobody says (CloudEvents). */
export function isJsonType(datacontenttype: string | undefined): boolean {
  if (datacontenttype === undefined || datacontenttype === 'application/json') return true
  const [type = ''] = datacontenttype.split(';', 1)
  return /^[^/\s]+\/(?:json|[^/\s]+\+json)$/i.test(type.trim())
}
