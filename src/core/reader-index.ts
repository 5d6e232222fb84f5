import type { Event } from './event.ts'
import { createMatchIndex, type MatchIndex } from './match.ts'

/** One thing that must be so of every event that somebody wants: the value at a path is this text. */
export interface Equality {
  /** `meta.tenant`, `event.subject`: what the value is read from. */
  readonly path: string
  readonly value: string
}

/** What somebody reads. */
export interface Reading {
  readonly match: readonly string[]
  readonly from: readonly string[] | undefined
  /** Undefined: nothing that an index could use. */
  readonly only?: Equality | undefined
}

/** Finds who may want an event by its source, its type and the values that readers ask for, without asking each one. */
export interface ReaderIndex<T> {
  add(key: T, reading: Reading): void
  remove(key: T): void
  /** Those that match; `valueAt` is asked once for each path that somebody names. */
  lookup(source: string, type: string, valueAt: (path: string) => unknown): readonly T[]
}

/** An empty index. Who asks for a value is looked at only for events that have it. */
export function createReaderIndex<T>(): ReaderIndex<T> {
  const plain = createMatchIndex<T>()
  const byPath = new Map<string, Map<string, MatchIndex<T>>>()
  const known = new Map<T, Reading>()
  const counts = new WeakMap<MatchIndex<T>, number>()

  const remove = (key: T): void => {
    const reading = known.get(key)
    if (reading === undefined) return
    known.delete(key)
    const { only } = reading
    if (only === undefined) {
      plain.remove(key)
      return
    }
    const byValue = byPath.get(only.path)!
    const index = byValue.get(only.value)!
    index.remove(key)
    const left = counts.get(index)! - 1
    counts.set(index, left)
    if (left === 0) byValue.delete(only.value)
    if (byValue.size === 0) byPath.delete(only.path)
  }
  const indexOf = ({ path, value }: Equality): MatchIndex<T> => {
    let byValue = byPath.get(path)
    if (byValue === undefined) {
      byValue = new Map()
      byPath.set(path, byValue)
    }
    let index = byValue.get(value)
    if (index === undefined) {
      index = createMatchIndex()
      byValue.set(value, index)
    }
    counts.set(index, (counts.get(index) ?? 0) + 1)
    return index
  }
  return {
    add(key, reading) {
      remove(key)
      known.set(key, reading)
      const { match, from, only } = reading
      if (only === undefined) plain.add(key, match, from)
      else indexOf(only).add(key, match, from)
    },
    remove,
    lookup(source, type, valueAt) {
      const found = plain.lookup(source, type)
      if (byPath.size === 0) return found
      let all: T[] | undefined
      for (const [path, byValue] of byPath) {
        const value = valueAt(path)
        const index = typeof value === 'string' ? byValue.get(value) : undefined
        const more = index?.lookup(source, type) ?? []
        if (more.length > 0) all = [...(all ?? found), ...more]
      }
      return all ?? found
    },
  }
}

/** What an event has at `event.…`, `meta.…` or `data.…`; own members only, undefined where there is none. */
export function valueAt(event: Event, path: string): unknown {
  const [root, ...members] = path.split('.')
  if (root === 'event') return envelope(event, members[0])
  let value: unknown = root === 'meta' ? event.meta : event.data
  for (const member of members) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, member)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[member]
  }
  return value
}

function envelope({ id, source, type, subject }: Event, name: string | undefined): string | undefined {
  switch (name) {
    case 'id':
      return id
    case 'source':
      return source
    case 'type':
      return type
    default:
      return name === 'subject' ? subject : undefined
  }
}
