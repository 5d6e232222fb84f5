/** A test for paths: relative, with `/` between the segments. */
export type PathTest = (path: string) => boolean

const maxLength = 512
const maxAlternatives = 1000

/** What stands for one character, or for any run of them. */
type Token = { readonly kind: 'star' } | { readonly kind: 'one'; readonly fits: (character: string) => boolean }
/** What stands for one segment of a path, or for any run of them. */
type Segment = { readonly kind: 'star' } | { readonly kind: 'one'; readonly tokens: readonly Token[] }

/**
 * A test of several patterns; any match suffices. `*` is any run of characters within a name, `?` any one, `[a-z]` one of
 * these (`[!a-z]` none), `{a,b}` either, `**` any number of folders. A pattern without a slash is a name in any folder;
 * one with a slash (also at the beginning) is a path from the root. Matching takes linear time per star (SEC-71).
 */
export function compileGlobs(patterns: readonly string[]): PathTest {
  const alternatives = patterns.flatMap((pattern) => {
    const parsed = parse(pattern)
    if (typeof parsed === 'string') throw new TypeError(parsed)
    return parsed
  })
  return (path) => {
    const names = path.split('/').map((name) => Array.from(name))
    return alternatives.some((segments) => matches(segments, names, fitsName))
  }
}

/** What is wrong with a pattern, in one sentence; undefined when it can be used. */
export function globProblem(pattern: string): string | undefined {
  const parsed = parse(pattern)
  return typeof parsed === 'string' ? parsed : undefined
}

/** True when a text has a character that means something in a pattern. */
export function isGlob(text: string): boolean {
  return /[*?[{]/.test(text)
}

function parse(pattern: string): Segment[][] | string {
  if (pattern === '') return 'a pattern is empty: write * or a name such as *.csv'
  if (pattern.length > maxLength) return `a pattern is longer than ${maxLength} characters`
  if (pattern.includes('\\')) return 'a backslash has no meaning in a pattern: write / between folders'
  const texts = expand(pattern)
  if (texts === undefined)
    return `a pattern has more than ${maxAlternatives} alternatives, or a brace without its other half`
  const parsed: Segment[][] = []
  for (const text of texts) {
    const segments = parseSegments(text)
    if (typeof segments === 'string') return segments
    parsed.push(segments)
  }
  return parsed
}

function parseSegments(text: string): Segment[] | string {
  const trimmed = text.replace(/\/$/, '')
  const isAnywhere = !trimmed.includes('/')
  const segments: Segment[] = isAnywhere ? [{ kind: 'star' }] : []
  for (const name of trimmed.replace(/^\//, '').split('/')) {
    if (name === '' || name === '.' || name === '..') return 'a pattern has an empty name, . or .. between its slashes'
    if (name === '**') {
      segments.push({ kind: 'star' })
      continue
    }
    const tokens = parseName(name)
    if (tokens === undefined) return 'a pattern has [ without ]'
    segments.push({ kind: 'one', tokens })
  }
  return segments
}

function parseName(name: string): Token[] | undefined {
  const tokens: Token[] = []
  const characters = Array.from(name)
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!
    if (character === '*') tokens.push({ kind: 'star' })
    else if (character === '?') tokens.push({ kind: 'one', fits: () => true })
    else if (character === '[') {
      // A bracket that comes first in a class stands for itself.
      const from = at + (/[!^]/.test(characters[at + 1] ?? '') ? 2 : 1)
      const end = characters.indexOf(']', from + 1)
      if (end < 0) return undefined
      const fits = classTest(characters.slice(from, end))
      tokens.push({ kind: 'one', fits: from === at + 2 ? (each) => !fits(each) : fits })
      at = end
    } else tokens.push({ kind: 'one', fits: (each) => each === character })
  }
  return tokens
}

function classTest(characters: readonly string[]): (character: string) => boolean {
  const ranges: [string, string][] = []
  for (let at = 0; at < characters.length; at++) {
    const from = characters[at]!
    const isRange = characters[at + 1] === '-' && at + 2 < characters.length
    ranges.push([from, isRange ? characters[at + 2]! : from])
    if (isRange) at += 2
  }
  return (character) => ranges.some(([from, to]) => from <= character && character <= to)
}

/** Every text that the braces stand for; undefined when they are too many or do not close. */
function expand(text: string): string[] | undefined {
  const open = text.indexOf('{')
  if (open < 0) return text.includes('}') ? undefined : [text]
  const parts: string[] = []
  let depth = 0
  let begin = open + 1
  for (let at = open; at < text.length; at++) {
    const character = text[at]
    if (character === '{') depth++
    if (character === ',' && depth === 1) {
      parts.push(text.slice(begin, at))
      begin = at + 1
    }
    if (character !== '}') continue
    depth--
    if (depth > 0) continue
    parts.push(text.slice(begin, at))
    return product(text.slice(0, open), parts, text.slice(at + 1))
  }
  return undefined
}

function product(before: string, parts: readonly string[], after: string): string[] | undefined {
  const rests = expand(after)
  if (rests === undefined || before.includes('}')) return undefined
  const all: string[] = []
  for (const part of parts) {
    const inner = expand(part)
    if (inner === undefined || all.length + inner.length * rests.length > maxAlternatives) return undefined
    for (const each of inner) for (const rest of rests) all.push(before + each + rest)
  }
  return all
}

function fitsName(segment: Segment & { kind: 'one' }, name: readonly string[]): boolean {
  return matches(segment.tokens, name, (token, character) => token.fits(character))
}

/** Whether items fit a pattern with stars. Going back only to the latest star is enough, and keeps it linear per star. */
function matches<P extends { readonly kind: 'star' | 'one' }, T>(
  pattern: readonly P[],
  items: readonly T[],
  fits: (part: P & { kind: 'one' }, item: T) => boolean,
): boolean {
  let at = 0
  let star = -1
  let retry = 0
  for (let n = 0; n < items.length; ) {
    const part = pattern[at]
    if (part?.kind === 'star') {
      star = at++
      retry = n
    } else if (part !== undefined && fits(part as P & { kind: 'one' }, items[n]!)) {
      at++
      n++
    } else if (star >= 0) {
      at = star + 1
      n = ++retry
    } else return false
  }
  while (pattern[at]?.kind === 'star') at++
  return at === pattern.length
}
