import { decodeBase64 } from './base64.ts'
import { coreAttributes, deliveryExtensions } from './cloud-event-names.ts'
import { type CheckedEvent, checkEvent, checkGiven, type EventLimits, type ReadyData } from './event-check.ts'
import { isJsonType, isPlainObject } from './event-fields.ts'
import type { GivenEvent } from './event-names.ts'
import type { Issue } from './issues.ts'
import { notJson } from './json-fault.ts'
import { elementSpans, memberSpan, type Span, scanJson } from './json-scan.ts'

export interface ReadLimits extends EventLimits {
  /** Events in one batch; 10,000 when absent. */
  readonly batch?: number | undefined
}

/**
 * - `single`: one event.
 * - `batch`: a JSON array of events, which may be empty.
 * - `line`: a line of NDJSON: one event, or nothing when it is blank.
 */
export const readModes = ['single', 'batch', 'line'] as const
export type ReadMode = (typeof readModes)[number]

/** One answer for each event, in order; or why the text as a whole cannot be read. */
export type ReadResult =
  | { readonly ok: true; readonly events: readonly CheckedEvent[] }
  | { readonly ok: false; readonly issues: readonly Issue[] }

type Members = Readonly<Record<string, unknown>>

function malformed(message: string): { readonly ok: false; readonly issues: readonly Issue[] } {
  return { ok: false, issues: [{ code: 'body-malformed', message }] }
}

/** True when the text can only be an array: for a body whose content type leaves open whether it is a batch. */
export function isJsonArray(text: string): boolean {
  return /^[ \t\r\n]*\[/.test(text)
}

/** Reads events as JSON: structured CloudEvents (they have a `specversion`) or plain objects with our field names. */
export function readJsonEvents(text: string, mode: ReadMode, limits: ReadLimits = {}): ReadResult {
  if (mode === 'line' && text.trim() === '') return { ok: true, events: [] }
  if (mode === 'batch') return readBatch(text, limits)
  const members = parseMembers(text, limits)
  if (!members.ok) return members
  return { ok: true, events: [checkMembers(members.value, partOf(text, memberSpan(text, 'data')), limits)] }
}

function readBatch(text: string, limits: ReadLimits): ReadResult {
  const most = limits.batch ?? 10_000
  // One level for the array; what an event may hold is checked event by event.
  const scan = scanJson(text, { depth: depthOf(limits), around: 2, keys: Number.POSITIVE_INFINITY })
  if (!scan.ok) return malformed(`the body is refused at character ${scan.offset + 1}: ${scan.problem}`)
  const parsed = parseJson(text, 'the body')
  if (!parsed.ok) return parsed
  const spans = elementSpans(text, 'data')
  if (spans === undefined) return malformed('a batch is a JSON array of events')
  if (spans.length > most) {
    return { ok: false, issues: [{ code: 'body-too-large', message: `a batch has at most ${most} events` }] }
  }
  const values = parsed.value as readonly unknown[]
  const events = spans.map(({ member }, index) => checkMembers(values[index], partOf(text, member), limits))
  return { ok: true, events }
}

/** Data and meta lie one level inside the event. */
function depthOf(limits: ReadLimits): number {
  return limits.depth ?? 64
}

type ParsedJson = { readonly ok: true; readonly value: unknown } | ReturnType<typeof malformed>

function parseMembers(text: string, limits: ReadLimits): ParsedJson {
  const scan = scanJson(text, { depth: depthOf(limits), around: 1, keys: 2 * (limits.keys ?? 10_000) + 100 })
  if (!scan.ok) return malformed(`the body is refused at character ${scan.offset + 1}: ${scan.problem}`)
  const parsed = parseJson(text, 'the body')
  if (parsed.ok && !isPlainObject(parsed.value)) return malformed('an event is a JSON object with source, id and type')
  return parsed
}

function parseJson(text: string, what: string): ParsedJson {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    // The parser's own message quotes the text.
    return malformed(`${what} ${notJson(text)}`)
  }
}

function partOf(text: string, span: Span | undefined): string | undefined {
  return span === undefined ? undefined : text.slice(span.start, span.end)
}

/** `data` is the data as it was written, undefined where the event has none. */
function checkMembers(value: unknown, data: string | undefined, limits: ReadLimits): CheckedEvent {
  if (!isPlainObject(value)) return checkEvent(value, limits)
  // With our own field names it is the library's check, with the data as it was written instead of serialised again.
  return value['specversion'] === undefined ? checkEvent(value, limits, data) : checkStructured(value, data, limits)
}

function checkStructured(value: Members, written: string | undefined, limits: ReadLimits): CheckedEvent {
  const issues: Issue[] = []
  checkVersion(value['specversion'], issues)
  let given = givenOf(value, issues)
  let data: ReadyData | undefined = written
  const encoded = value['data_base64'] ?? undefined
  if (encoded !== undefined) {
    if (data !== undefined) refuse(issues, 'data_base64', 'and data exclude each other: give one of them')
    const bytes = typeof encoded === 'string' ? decodeBase64(encoded) : undefined
    if (bytes === undefined) refuse(issues, 'data_base64', 'is not base64 text')
    else {
      given = { ...given, datacontenttype: given.datacontenttype ?? 'application/octet-stream' }
      data = dataOfBytes(bytes, given.datacontenttype, issues)
    }
  }
  return checkGiven(given, data, issues, limits)
}

function refuse(issues: Issue[], field: string, problem: string): undefined {
  issues.push({ code: 'event-invalid', message: `${field} ${problem}`, path: [field] })
}

function checkVersion(version: unknown, issues: Issue[]): void {
  if (version !== '1.0') refuse(issues, 'specversion', 'is not "1.0", the only version of CloudEvents that is read')
}

/** The known attributes in their places, every other one as an entry of meta. */
function givenOf(value: Members, issues: Issue[]): GivenEvent {
  const { source, id, type, subject, time, notBefore, datacontenttype, dataschema } = value
  const meta = readExtensions(value, issues)
  return { source, id, type, subject, time, notBefore, datacontenttype, dataschema, meta }
}

function readExtensions(value: Members, issues: Issue[]): Members {
  const entries: [string, unknown][] = []
  for (const [name, extension] of Object.entries(value)) {
    // In CloudEvents JSON an attribute that is null is absent.
    if (coreAttributes.has(name) || deliveryExtensions.has(name) || extension === null) continue
    // An extension has no capitals: who writes it as in plain JSON means that.
    if (name === 'notBefore') continue
    if (name !== 'meta') entries.push([name, extension])
    // Before the others: an attribute of its own wins over an entry of the same name.
    else entries.unshift(...metaEntries(extension, issues))
  }
  return Object.fromEntries(entries)
}

/** The extension `meta` holds an object as JSON text; somebody else's extension of that name stays what it is. */
function metaEntries(extension: unknown, issues: Issue[]): readonly [string, unknown][] {
  if (isPlainObject(extension)) return Object.entries(extension)
  if (typeof extension !== 'string' || !extension.startsWith('{')) return [['meta', extension]]
  const scan = scanJson(extension, { depth: 64, keys: 10_000 })
  if (!scan.ok) {
    refuse(issues, 'meta', `is refused: ${scan.problem}`)
    return []
  }
  const parsed = parseJson(extension, 'meta')
  return parsed.ok ? Object.entries(parsed.value as Members) : [['meta', extension]]
}

/** Bytes whose content type is JSON are JSON text; all others stay bytes. */
function dataOfBytes(bytes: Uint8Array, datacontenttype: unknown, issues: Issue[]): ReadyData | undefined {
  if (typeof datacontenttype === 'string' && !isJsonType(datacontenttype)) return bytes
  const text = decodeUtf8(bytes)
  if (text === undefined) return refuse(issues, 'data', 'is not valid UTF-8')
  // Parsed only to see that it is JSON: the scan that checkGiven makes does not need a parsed value.
  if (!parseJson(text, 'data').ok) return refuse(issues, 'data', 'is not valid JSON, which its content type says it is')
  return text.trim()
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Reads an event in binary mode: attributes in `ce-*` headers (any case), data in the body. Header values may be
 * double-quoted and percent-encoded; they are decoded once.
 */
export function readBinaryEvent(
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  limits: EventLimits = {},
): CheckedEvent {
  const issues: Issue[] = []
  const attributes = new Map<string, unknown>()
  let contentType: string | undefined
  for (const [header, raw] of Object.entries(headers)) {
    const name = header.toLowerCase()
    if (name === 'content-type') contentType = raw
    if (!name.startsWith('ce-')) continue
    const value = decodeHeader(raw)
    if (value === undefined)
      issues.push({
        code: 'body-malformed',
        message: `the header ${name.slice(0, 40)} is not percent-encoded UTF-8`,
        path: [name.slice(0, 40)],
      })
    attributes.set(name.slice(3), value)
  }
  const declared = attributes.get('datacontenttype')
  if (contentType !== undefined && declared !== undefined && declared !== contentType) {
    refuse(issues, 'datacontenttype', 'differs from the Content-Type header, which is where it belongs')
  }
  attributes.set('datacontenttype', contentType ?? declared)
  const value = Object.fromEntries(attributes)
  checkVersion(value['specversion'], issues)
  const given = givenOf(value, issues)
  const data = body.length === 0 ? undefined : dataOfBytes(body, given.datacontenttype, issues)
  return checkGiven(given, data, issues, limits)
}

function decodeHeader(raw: string): string | undefined {
  const isQuoted = raw.length >= 2 && raw.startsWith('"') && raw.endsWith('"')
  const plain = isQuoted ? raw.slice(1, -1).replaceAll(/\\(.)/g, '$1') : raw
  // What is beyond ASCII had to be encoded; how it was meant cannot be known.
  if (!/^[\t\x20-\x7e]*$/.test(plain)) return undefined
  try {
    return decodeURIComponent(plain)
  } catch {
    return undefined
  }
}
