import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
  visit,
} from 'yaml'
import type { Issue } from '../core/issues.ts'

/** Bounds of a configuration's text: far above any real one, low enough that a hostile one costs little. */
const textLimits = { bytes: 2 ** 20, depth: 32, aliases: 50, expansions: 1_000 } as const

type Path = readonly (string | number)[]

/** Text as a value, with the place of everything in it. */
export interface ParsedText {
  readonly ok: true
  readonly value: unknown
  /** Names that are there twice; the last of them counts in `value`. */
  readonly issues: readonly Issue[]
  /** Line and column of the deepest part of a path that is there: of its name, or of its value. */
  locate(path: Path, at: 'key' | 'value'): { readonly line: number; readonly column: number } | undefined
}

const plainTags = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
)

/** Reads YAML (and so JSON): one document, no tags of one's own, no merge keys, bounded in size, depth and aliases. */
export function parseText(
  text: string,
  file: string,
): ParsedText | { readonly ok: false; readonly issues: readonly Issue[] } {
  const lines = new LineCounter()
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: Math.max(1, col) }
  }
  const refuse = (message: string, offset?: number) =>
    ({
      ok: false,
      issues: [{ code: 'config-invalid', message, file, ...(offset === undefined ? {} : place(offset)) }],
    }) as const
  if (Buffer.byteLength(text) > textLimits.bytes)
    return refuse('the file is larger than 1MiB, which no configuration needs')
  if (isTooDeep(text)) return refuse(`the file is nested deeper than ${textLimits.depth} levels`)
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    merge: false,
    customTags: [],
    logLevel: 'error',
  })
  const issues = document.errors.slice(0, 20).map(
    ({ code, message, pos }): Issue => ({
      code: 'config-invalid',
      message: code === 'DUPLICATE_KEY' ? 'this name is there twice' : `this is not valid YAML: ${lowerFirst(message)}`,
      file,
      ...place(pos[0]),
    }),
  )
  if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) return { ok: false, issues }
  const forbidden = findForbidden(document.contents)
  if (forbidden !== undefined) return refuse(forbidden.message, forbidden.offset)
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
    return refuse('the file is empty; `millrace init` writes one that runs')
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: textLimits.expansions })
  } catch {
    return refuse(`the aliases of the file multiply to more than ${textLimits.expansions}`)
  }
  if (depthOf(value) > textLimits.depth) return refuse(`the file is nested deeper than ${textLimits.depth} levels`)
  return { ok: true, value, issues, locate: (path, at) => locate(document.contents, path, at, place) }
}

function lowerFirst(text: string): string {
  const line = text.split('\n', 1)[0]!
  return line.slice(0, 1).toLowerCase() + line.slice(1)
}

/** Looks at the tokens without recursion, so that what comes after can recurse. */
function isTooDeep(text: string): boolean {
  // A level of the value is at most two levels of tokens (a list in a mapping).
  const bound = textLimits.depth * 2
  let level: unknown[] = [...new Parser().parse(text)]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > bound) return true
    level = level.flatMap((token) => {
      const { value, items, key } = token as { value?: unknown; items?: unknown[]; key?: unknown }
      return [...(items ?? []), ...(isToken(value) ? [value] : []), ...(isToken(key) ? [key] : [])]
    })
  }
  return false
}

function isToken(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function findForbidden(contents: unknown): { readonly message: string; readonly offset: number } | undefined {
  let found: { message: string; offset: number } | undefined
  let aliases = 0
  visit(contents as Node, {
    Node(_, node) {
      const offset = node.range?.[0] ?? 0
      if (isAlias(node) && ++aliases > textLimits.aliases)
        found = { message: `the file has more than ${textLimits.aliases} aliases`, offset }
      else if (node.tag !== undefined && !plainTags.has(node.tag))
        found = { message: 'a tag (!…) cannot be used in a configuration: write the value without it', offset }
      return found === undefined ? undefined : visit.BREAK
    },
    Pair(_, { key }) {
      if (isScalar(key) && key.value === '<<')
        found = {
          message: 'merge keys (<<) cannot be used in a configuration: write the settings out',
          offset: key.range?.[0] ?? 0,
        }
      return found === undefined ? undefined : visit.BREAK
    },
  })
  return found
}

/** How deep a value goes, at most one more than allowed: an alias may hold itself. */
function depthOf(value: unknown): number {
  let deepest = 0
  const go = (part: unknown, depth: number): void => {
    deepest = Math.max(deepest, depth)
    if (deepest > textLimits.depth || typeof part !== 'object' || part === null) return
    for (const child of Object.values(part)) go(child, depth + 1)
  }
  go(value, 0)
  return deepest
}

function locate(
  contents: unknown,
  path: Path,
  at: 'key' | 'value',
  place: (offset: number) => { line: number; column: number },
): { line: number; column: number } | undefined {
  let key: unknown
  let value: unknown = contents
  let isWhole = true
  for (const part of path) {
    if (!isCollection(value)) {
      isWhole = false
      break
    }
    const items: readonly unknown[] = value.items
    const next = isMap(value)
      ? items.findLast((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(part))
      : items[Number(part)]
    if (next === undefined) {
      isWhole = false
      break
    }
    key = isPair(next) ? next.key : next
    value = isPair(next) ? next.value : next
  }
  // What is missing is shown at the name of what it is missing from.
  const node = ((at === 'key' || !isWhole) && key !== undefined ? key : (value ?? key)) as Node | undefined
  const offset = node?.range?.[0]
  return offset === undefined ? undefined : place(offset)
}
