import type { Json } from '../core/event.ts'

/** An expression could not be evaluated for this value: a member is missing, or types do not fit. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
}

/** A result larger than this many values is an error: nested macros can multiply. */
const maxValues = 10_000

/** Values of CEL as JSON. The depth is that of the event's data, which is bounded, and of the expression. */
export function jsonOf(value: unknown, text: string): Json {
  if (typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return finite(value, text)
  let left = maxValues
  const convert = (given: unknown): Json => {
    if (left-- <= 0) throw new ExpressionError(`${shorten(text)}: the result has more than ${maxValues} values`)
    if (given === null || given === undefined) return null
    if (typeof given === 'string' || typeof given === 'boolean') return given
    if (typeof given === 'number') return finite(given, text)
    if (typeof given === 'bigint') return numberOf(given, text)
    if (given instanceof Date) return given.toISOString()
    if (Array.isArray(given)) return given.map(convert)
    if (given instanceof Map) return objectOf(given, convert)
    if (isPlain(given)) return plainOf(given, convert)
    throw new ExpressionError(`${shorten(text)}: the result has a value that JSON cannot hold`)
  }
  return convert(value)
}

function finite(given: number, text: string): number {
  if (Number.isFinite(given)) return given
  throw new ExpressionError(`${shorten(text)}: the result is infinite or no number, which JSON cannot hold`)
}

function numberOf(given: bigint, text: string): number {
  const number = Number(given)
  if (BigInt(number) === given) return number
  throw new ExpressionError(
    `${shorten(text)}: a whole number is beyond 2^53 and would be rounded: make it text with string()`,
  )
}

function objectOf(entries: Iterable<readonly [unknown, unknown]>, convert: (given: unknown) => Json): Json {
  const object: Record<string, Json> = {}
  for (const [key, item] of entries) put(object, String(key), convert(item))
  return object
}

/** The same without a list for each entry: nearly every object is of this kind. */
function plainOf(given: Readonly<Record<string, unknown>>, convert: (given: unknown) => Json): Json {
  const object: Record<string, Json> = {}
  for (const name of Object.keys(given)) put(object, name, convert(given[name]))
  return object
}

function put(object: Record<string, Json>, name: string, value: Json): void {
  // Assigned, it would not stay a key.
  if (name === '__proto__') Object.defineProperty(object, name, { ...asMember, value })
  else object[name] = value
}

const asMember = { enumerable: true, configurable: true, writable: true }

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

export const shorten = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text)
