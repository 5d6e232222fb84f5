import type { Event, EventRecord } from './event.ts'

/** The request header that says through how many pipelines an event came. */
export const hopHeader = 'millrace-hops'

/** The entry of meta that keeps the number with the event. */
export const hopAttribute = 'millracehops'

/** An event goes through at most this many pipelines: more of them are a circle. */
export const maxHops = 5

/** Through how many pipelines the event came before this one. */
export function hopsOf(event: Event): number {
  const { meta } = event.record
  // Nearly every event has none, and parsing costs.
  if (meta === undefined || !meta.includes(hopAttribute)) return 0
  const value = event.meta[hopAttribute]
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : 0
}

/** The number in the header of a request; 0 where there is none. */
export function readHops(header: string | undefined): number {
  return header !== undefined && /^\d{1,4}$/.test(header) ? Number(header) : 0
}

/** The record with that number, unless it says a larger one itself; the same one for 0. */
export function withHops<R extends EventRecord>(record: R, hops: number): R {
  if (hops === 0) return record
  const meta = record.meta === undefined ? {} : (JSON.parse(record.meta) as Record<string, unknown>)
  const own = meta[hopAttribute]
  if (typeof own === 'number' && own >= hops) return record
  return { ...record, meta: JSON.stringify(Object.fromEntries([...Object.entries(meta), [hopAttribute, hops]])) }
}
