import type { EventRecord } from './event.ts'

/** The source of what a subscription derives. */
export function derivedSource(subscription: string): string {
  return `${derivedPrefix}${subscription}`
}

const derivedPrefix = 'millrace:/'

/** The entry of meta that keeps the depth with the event, from 2 on: a depth of 1 is said by its source. */
export const depthAttribute = 'millracedepth'

/** So many derivations may follow from one another: more of them are a circle. */
export const maxDepth = 16

type Placed = Pick<EventRecord, 'source' | 'meta'>

/** How many derivations an event is away from one that came from outside; 0 for that one. */
export function depthOf(record: Placed): number {
  const bySource = record.source.startsWith(derivedPrefix) ? 1 : 0
  // Nearly every event has none, and parsing costs.
  if (record.meta === undefined || !record.meta.includes(depthAttribute)) return bySource
  const value = (JSON.parse(record.meta) as Record<string, unknown>)[depthAttribute]
  return typeof value === 'number' && Number.isInteger(value) && value > bySource ? value : bySource
}

/** The record at that depth, whatever it says itself. */
export function withDepth<R extends EventRecord>(record: R, depth: number): R {
  if (depthOf(record) === depth) return record
  const meta = record.meta === undefined ? {} : (JSON.parse(record.meta) as Record<string, unknown>)
  return { ...record, meta: JSON.stringify(Object.fromEntries([...Object.entries(meta), [depthAttribute, depth]])) }
}

/** What an id may have; a SHA-256 digest in base64url. */
const longestId = 255
const digestLength = 43

/**
 * The id of a derived event: its parent's, what made it, and which of them it is. One that would be too long keeps its
 * beginning, for people, and is told from others by the digest of the whole. The same parts always make the same id.
 */
export function derivedId(parts: readonly string[], digest: (text: string) => string): string {
  const whole = parts.join('/')
  if (whole.length <= longestId) return whole
  return `${whole.slice(0, longestId - digestLength - 1).toWellFormed()}~${digest(whole)}`
}
