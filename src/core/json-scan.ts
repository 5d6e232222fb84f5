/** What JSON text may not exceed. */
export interface JsonLimits {
  /** Arrays and objects inside one another; `[]` has depth 1. */
  readonly depth: number
  /** Levels around the value that are not counted. */
  readonly around?: number
  /** Members of all objects together. */
  readonly keys: number
}

/** A part of a text: from `start` up to, but without, `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

export type ScanResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly problem: string; readonly offset: number }

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * Checks JSON text before it is parsed, in one pass without recursion: depth, number of keys, and no half of a
 * surrogate pair in any string. Whether the text is JSON at all, `JSON.parse` says afterwards.
 */
export function scanJson(text: string, limits: JsonLimits): ScanResult {
  const most = limits.depth + (limits.around ?? 0)
  const isWhole = hasNoHalves(text)
  if (isWhole && cannotExceed(text, most, limits.keys)) return { ok: true }
  let depth = 0
  let keys = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote && isWhole) at = skipString(text, at) - 1
    else if (code === quote) {
      let end = at + 1
      let isPlain = true
      for (; end < text.length; end++) {
        const unit = text.charCodeAt(end)
        if (unit === quote) break
        if (unit === backslash) end++
        if (unit === backslash || (unit >= 0xd800 && unit <= 0xdfff)) isPlain = false
      }
      const broken = isPlain ? -1 : loneSurrogate(text, at, end + 1)
      if (broken !== -1) return { ok: false, problem: 'a string holds half of a surrogate pair', offset: broken }
      at = end
    } else if (code === openBrace || code === openBracket) {
      depth++
      if (depth > most) return { ok: false, problem: `nested deeper than ${limits.depth} levels`, offset: at }
    } else if (code === closeBrace || code === closeBracket) {
      depth--
    } else if (code === colon) {
      keys++
      if (keys > limits.keys) return { ok: false, problem: `more than ${limits.keys} keys`, offset: at }
    }
  }
  return { ok: true }
}

/** True for most texts: every surrogate is half of a pair in plain sight. */
function hasNoHalves(text: string): boolean {
  return !text.includes('\\u') && text.isWellFormed()
}

/**
 * True for most texts that are short, found by the engine's own search, which is faster than a pass over the characters: so
 * few openings, and fewer characters than keys are allowed.
 */
function cannotExceed(text: string, depth: number, keys: number): boolean {
  if (text.length > keys) return false
  let openings = 0
  for (const opening of ['{', '[']) {
    for (let at = text.indexOf(opening); at !== -1; at = text.indexOf(opening, at + 1)) {
      openings++
      if (openings > depth) return false
    }
  }
  return true
}

/** The end of the string that begins at `start`: just past its closing quote, or the end of the text. */
function skipString(text: string, start: number): number {
  // The engine's own search; only a quote behind a backslash needs a closer look.
  const end = text.indexOf('"', start + 1)
  if (end === -1) return text.length
  return text.charCodeAt(end - 1) === backslash ? skipEscaped(text, start) : end + 1
}

function skipEscaped(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) return at + 1
    if (code === backslash) at++
  }
  return text.length
}

/** Where a string holds half of a surrogate pair, written as such or as an escape; -1 if nowhere. */
function loneSurrogate(text: string, start: number, end: number): number {
  let high = -1
  for (let at = start + 1; at < end; ) {
    let unit = text.charCodeAt(at)
    let width = 1
    if (unit === backslash) {
      const isEscape = text.charCodeAt(at + 1) === 0x75
      unit = isEscape ? Number.parseInt(text.slice(at + 2, at + 6), 16) : 0
      width = isEscape ? 6 : 2
    }
    const isLow = unit >= 0xdc00 && unit <= 0xdfff
    if (isLow !== (high !== -1)) return high === -1 ? at : high
    high = unit >= 0xd800 && unit <= 0xdbff ? at : -1
    at += width
  }
  return -1
}

/** The first place at or after `at` that is not white space. */
function skipSpace(text: string, at: number): number {
  let next = at
  for (let code = text.charCodeAt(next); code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09; ) {
    code = text.charCodeAt(++next)
  }
  return next
}

/** The end of the value that begins at `start`. The text must be valid JSON. */
function skipValue(text: string, start: number): number {
  const first = text.charCodeAt(start)
  if (first === quote) return skipString(text, start)
  const isNested = first === openBrace || first === openBracket
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = skipString(text, at) - 1
    else if (code === openBrace || code === openBracket) depth++
    else if (code === closeBrace || code === closeBracket) {
      // Below zero is the end of what surrounds a number or a literal.
      depth--
      if (depth <= 0) return isNested ? at + 1 : at
    } else if (!isNested && (code === comma || code <= 0x20)) return at
  }
  return text.length
}

/**
 * Where the value of one of an object's own members stands in its text; of a repeated name the last, as `JSON.parse` has it.
 * The text must be valid JSON; undefined when it is not an object or has no such member.
 */
export function memberSpan(text: string, name: string): Span | undefined {
  const start = skipSpace(text, 0)
  return text.charCodeAt(start) === openBrace ? walkObject(text, start, name).member : undefined
}

interface Walked {
  readonly end: number
  readonly member: Span | undefined
}

/** Goes over the object that begins at `start`: where it ends, and where its member of that name stands. */
function walkObject(text: string, start: number, name: string): Walked {
  let span: Span | undefined
  let at = skipSpace(text, start + 1)
  while (text.charCodeAt(at) === quote) {
    const nameEnd = skipString(text, at)
    const from = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const to = skipValue(text, from)
    if (isNamed(text, at, nameEnd, name)) span = { start: from, end: to }
    at = skipSpace(text, to)
    if (text.charCodeAt(at) === comma) at = skipSpace(text, at + 1)
  }
  return { end: Math.min(at + 1, text.length), member: span }
}

/** A name may be written with escapes: `"d\u0061ta"` is `data`. */
function isNamed(text: string, start: number, end: number, name: string): boolean {
  const units = end - start - 2
  // A backslash of the name itself is written as two.
  if (units === name.length) return text.startsWith(name, start + 1) && !name.includes('\\')
  if (units < name.length) return false
  const written = text.slice(start, end)
  return written.includes('\\') && (JSON.parse(written) as string) === name
}

/** An element of an array; of one that is an object also where its member of a name stands. */
export interface ElementSpan extends Span {
  readonly member: Span | undefined
}

/**
 * Where the elements of an array stand in its text, and in those that are objects the member called `name`, in one pass. The
 * text must be valid JSON; undefined when it is not an array.
 */
export function elementSpans(text: string, name = ''): readonly ElementSpan[] | undefined {
  let at = skipSpace(text, 0)
  if (text.charCodeAt(at) !== openBracket) return undefined
  const spans: ElementSpan[] = []
  at = skipSpace(text, at + 1)
  while (at < text.length && text.charCodeAt(at) !== closeBracket) {
    const isObject = text.charCodeAt(at) === openBrace
    const { end, member } = isObject ? walkObject(text, at, name) : { end: skipValue(text, at), member: undefined }
    spans.push({ start: at, end, member })
    const next = skipSpace(text, end)
    if (text.charCodeAt(next) !== comma) break
    at = skipSpace(text, next + 1)
  }
  return spans
}

/** How many bytes the text takes as UTF-8, half pairs counted as their replacement. */
export function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x80) continue
    bytes++
    if (code < 0x800) continue
    // A pair is two units and four bytes: one extra for each of its halves.
    if (code >= 0xd800 && code <= 0xdfff && isPairHalf(text, at, code)) continue
    bytes++
  }
  return bytes
}

function isPairHalf(text: string, at: number, code: number): boolean {
  if (code < 0xdc00) return (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00
  return (text.charCodeAt(at - 1) & 0xfc00) === 0xd800
}
