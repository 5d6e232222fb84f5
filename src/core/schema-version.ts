import type { EventRecord } from './event.ts'

/** The entry of meta that says which version of its type's schema the data has. It travels as an attribute. */
export const versionAttribute = 'schemaversion'

/** The version that an event says it has: a whole number above 0, or its digits; undefined when it says none. */
export function versionOf({ meta }: Pick<EventRecord, 'meta'>): number | undefined {
  // Nearly every event without schemas has none, and parsing costs.
  if (meta === undefined || !meta.includes(versionAttribute)) return undefined
  const value = (JSON.parse(meta) as Readonly<Record<string, unknown>>)[versionAttribute]
  const version = typeof value === 'string' && /^[1-9]\d{0,8}$/.test(value) ? Number(value) : value
  return typeof version === 'number' && Number.isSafeInteger(version) && version > 0 ? version : undefined
}

/** The record with the version written on it. */
export function withVersion(record: EventRecord, version: number): EventRecord {
  const meta = record.meta === undefined ? {} : (JSON.parse(record.meta) as Record<string, unknown>)
  const entries = Object.entries(meta).filter(([name]) => name !== versionAttribute)
  return { ...record, meta: JSON.stringify(Object.fromEntries([...entries, [versionAttribute, version]])) }
}

/**
 * The versions that have no upcaster although an older or equal one is known: holes in the way to the newest. A type
 * without any upcaster has no way and so no hole: its versions are read side by side.
 */
export function upcastHoles(versions: Iterable<number>, upcasters: Iterable<number>): readonly number[] {
  const steps = new Set(upcasters)
  if (steps.size === 0) return []
  const newest = newestVersion(versions, steps)
  const holes: number[] = []
  for (let version = Math.min(...versions, ...steps); version < newest; version++)
    if (!steps.has(version)) holes.push(version)
  return holes
}

/** The newest version that schemas or upcasters lead to; 1 when there is neither. */
export function newestVersion(versions: Iterable<number>, upcasters: Iterable<number>): number {
  return Math.max(1, ...versions, ...[...upcasters].map((version) => version + 1))
}
