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

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

/** What is wrong with a time: RFC 3339 with a zone, and a day that exists. */
export function timeProblem(text: string): string | undefined {
  if (!rfc3339.test(text)) return 'is not RFC 3339: write it as 2026-01-31T12:00:00Z'
  const month = twoDigits(text, 5)
  const day = twoDigits(text, 8)
  const isDay =
    month >= 1 && month <= 12 && day >= 1 && day <= daysOf(twoDigits(text, 0) * 100 + twoDigits(text, 2), month)
  // A leap second is a time that happened.
  const isClock = twoDigits(text, 11) <= 23 && twoDigits(text, 14) <= 59 && twoDigits(text, 17) <= 60
  return isDay && isClock && isZone(text) ? undefined : 'names a day or hour that does not exist'
}

/** Of what has the right form: the offset at its end is less than a day. */
function isZone(text: string): boolean {
  const at = text.length - 6
  const isOffset = text[at + 3] === ':' && (text[at] === '+' || text[at] === '-')
  return !isOffset || (twoDigits(text, at + 1) <= 23 && twoDigits(text, at + 4) <= 59)
}

function twoDigits(text: string, at: number): number {
  return 10 * (text.charCodeAt(at) - 0x30) + text.charCodeAt(at + 1) - 0x30
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
