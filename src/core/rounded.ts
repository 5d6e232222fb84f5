import type { EventRecord, Json } from './event.ts'

/**
 * True when a value has a whole number that stands for another one in the JSON text of the event: beyond 2^53 parsing gives
 * the nearest number that there is. Costs a second parse only where such a number is.
 */
export function hasRounded(value: Json, { data, meta }: Pick<EventRecord, 'data' | 'meta'>): boolean {
  // Nearly every value is a text, a truth value or a small number.
  if (typeof value !== 'object' && !isSuspect(value)) return false
  const suspects = new Set<number>()
  const open: Json[] = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (isSuspect(next)) suspects.add(next)
    else if (typeof next === 'object' && next !== null) {
      for (const each of Object.values(next) as readonly Json[]) open.push(each)
    }
  }
  return suspects.size > 0 && [data, meta].some((text) => typeof text === 'string' && hasRoundedText(text, suspects))
}

function isSuspect(value: Json): value is number {
  return typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)
}

/** What a reviver is told beside the value. */
type Reviver = (name: string, value: unknown, context: { readonly source?: string }) => unknown

function hasRoundedText(text: string, suspects: ReadonlySet<number>): boolean {
  let isRounded = false
  const look: Reviver = (_, value, { source = '' }) => {
    if (typeof value === 'number' && suspects.has(value) && /^-?\d+$/.test(source))
      isRounded ||= BigInt(source) !== BigInt(value)
    return undefined
  }
  JSON.parse(text, look as (name: string, value: unknown) => unknown)
  return isRounded
}
