/** Types that the engine itself appends begin so; only a pattern that names the prefix matches them. */
const reservedPrefix = 'millrace.'

/** True for the engine's own types (`millrace.dead`, `millrace.breaker`, …). */
export function isReservedType(type: string): boolean {
  return type.startsWith(reservedPrefix)
}

type Pattern =
  | { readonly kind: 'star' }
  | { readonly kind: 'prefix'; readonly prefix: string }
  | { readonly kind: 'exact'; readonly type: string }

/** `order.*` keeps its dot, so that neither `order` nor `orders.x` begins with the prefix. */
function parsePattern(text: string): Pattern {
  if (text === '*') return { kind: 'star' }
  if (text.endsWith('.*')) return { kind: 'prefix', prefix: text.slice(0, -1) }
  return { kind: 'exact', type: text }
}

/**
 * A test for types: `*` matches every type but the engine's own, `prefix.*` what begins with `prefix.`,
 * anything else exactly itself. Any match suffices; an empty list matches nothing.
 */
export function compilePatterns(patterns: readonly string[]): (type: string) => boolean {
  const exact = new Set<string>()
  const prefixes: string[] = []
  let star = false
  for (const text of patterns) {
    const pattern = parsePattern(text)
    if (pattern.kind === 'star') star = true
    else if (pattern.kind === 'prefix') prefixes.push(pattern.prefix)
    else exact.add(pattern.type)
  }
  return (type) =>
    (star && !isReservedType(type)) || exact.has(type) || prefixes.some((prefix) => type.startsWith(prefix))
}

/** True when there can be a type that one of `patterns` and `wanted` both match. */
export function canMatch(patterns: readonly string[], wanted: string): boolean {
  const of = parsePattern(wanted)
  if (of.kind === 'exact') return compilePatterns(patterns)(of.type)
  return patterns.some((text) => {
    const pattern = parsePattern(text)
    if (of.kind === 'star') return pattern.kind === 'star' || !isReservedType(text)
    if (pattern.kind === 'star') return !isReservedType(of.prefix)
    if (pattern.kind === 'exact') return pattern.type.startsWith(of.prefix)
    return pattern.prefix.startsWith(of.prefix) || of.prefix.startsWith(pattern.prefix)
  })
}

const wholePattern = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?:\.\*)?$/

/** What is wrong with a pattern, in one sentence; undefined when it can be used. */
export function checkPattern(pattern: string): string | undefined {
  if (pattern === '*' || wholePattern.test(pattern)) return undefined
  if (pattern === '') return 'a pattern is empty: write *, prefix.* or a whole type'
  if (pattern.includes('*')) return 'a star may stand alone (*) or be the last segment (prefix.*), nowhere else'
  return 'a type is dot-separated segments of letters, digits, _ and -'
}

/** Finds who wants an event by its source and type, without asking each one. */
export interface MatchIndex<T> {
  /** Adds a key with its patterns and the sources it reads (undefined: every one). A known key keeps its place. */
  add(key: T, match: readonly string[], from: readonly string[] | undefined): void
  remove(key: T): void
  /** The keys that match, in the order in which they were added. The answer is shared and frozen. */
  lookup(source: string, type: string): readonly T[]
}

interface Entry<T> {
  readonly key: T
  readonly place: number
  readonly match: readonly string[]
  readonly from: ReadonlySet<string> | undefined
}

/** Sources and types come from outside, so what is remembered of them is bounded; past it, the cache starts again. */
const cachedPairs = 10_000

/** An empty index. A lookup that was made before costs two map reads. */
export function createMatchIndex<T>(): MatchIndex<T> {
  const entries = new Map<T, Entry<T>>()
  const tables = createTables<T>()
  const cache = new Map<string, Map<string, readonly T[]>>()
  let cached = 0
  let places = 0

  const forget = () => {
    cache.clear()
    cached = 0
  }
  const remove = (key: T) => {
    const entry = entries.get(key)
    if (entry === undefined) return
    entries.delete(key)
    tables.remove(entry)
    forget()
  }
  const find = (source: string, type: string): readonly T[] => {
    if (cached >= cachedPairs) forget()
    const found = Object.freeze(tables.find(source, type))
    let bySource = cache.get(source)
    if (bySource === undefined) {
      bySource = new Map()
      cache.set(source, bySource)
    }
    bySource.set(type, found)
    cached++
    return found
  }
  return {
    add(key, match, from) {
      const place = entries.get(key)?.place ?? places++
      remove(key)
      const entry = { key, place, match: [...match], from: from === undefined ? undefined : new Set(from) }
      entries.set(key, entry)
      tables.add(entry)
      forget()
    },
    remove,
    lookup: (source, type) => cache.get(source)?.get(type) ?? find(source, type),
  }
}

/** Who reads every source, and for each source that somebody names, who reads that one: no lookup goes over the others. */
function createTables<T>() {
  const any = createTypeTable<T>()
  const bySource = new Map<string, TypeTable<T>>()
  return {
    add(entry: Entry<T>) {
      if (entry.from === undefined) any.add(entry)
      for (const source of entry.from ?? []) {
        let table = bySource.get(source)
        if (table === undefined) {
          table = createTypeTable()
          bySource.set(source, table)
        }
        table.add(entry)
      }
    },
    remove(entry: Entry<T>) {
      if (entry.from === undefined) any.remove(entry)
      for (const source of entry.from ?? []) {
        const table = bySource.get(source)
        table?.remove(entry)
        if (table?.isEmpty === true) bySource.delete(source)
      }
    },
    find(source: string, type: string): T[] {
      const found = new Set<Entry<T>>()
      any.collect(type, found)
      bySource.get(source)?.collect(type, found)
      return [...found].sort((a, b) => a.place - b.place).map((entry) => entry.key)
    },
  }
}

type TypeTable<T> = ReturnType<typeof createTypeTable<T>>

/** One table per kind of pattern: a lookup asks the exact type, each of its dotted prefixes, and the stars. */
function createTypeTable<T>() {
  const exact = new Map<string, Set<Entry<T>>>()
  const prefixes = new Map<string, Set<Entry<T>>>()
  const star = new Set<Entry<T>>()
  return {
    get isEmpty(): boolean {
      return exact.size === 0 && prefixes.size === 0 && star.size === 0
    },
    add(entry: Entry<T>) {
      for (const text of entry.match) {
        const pattern = parsePattern(text)
        if (pattern.kind === 'star') star.add(entry)
        else if (pattern.kind === 'prefix') put(prefixes, pattern.prefix, entry)
        else put(exact, pattern.type, entry)
      }
    },
    remove(entry: Entry<T>) {
      for (const text of entry.match) {
        const pattern = parsePattern(text)
        if (pattern.kind === 'star') star.delete(entry)
        else if (pattern.kind === 'prefix') take(prefixes, pattern.prefix, entry)
        else take(exact, pattern.type, entry)
      }
    },
    collect(type: string, found: Set<Entry<T>>) {
      for (const entry of exact.get(type) ?? []) found.add(entry)
      for (let dot = type.indexOf('.'); dot !== -1; dot = type.indexOf('.', dot + 1)) {
        for (const entry of prefixes.get(type.slice(0, dot + 1)) ?? []) found.add(entry)
      }
      if (!isReservedType(type)) for (const entry of star) found.add(entry)
    },
  }
}

function put<T>(table: Map<string, Set<T>>, key: string, entry: T): void {
  const set = table.get(key)
  if (set === undefined) table.set(key, new Set([entry]))
  else set.add(entry)
}

function take<T>(table: Map<string, Set<T>>, key: string, entry: T): void {
  const set = table.get(key)
  set?.delete(entry)
  if (set?.size === 0) table.delete(key)
}
