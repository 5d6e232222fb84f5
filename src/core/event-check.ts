import type { EventRecord } from './event.ts'
import { isJsonType, isPlainObject, textProblem, timeProblem, typeProblem } from './event-fields.ts'
import { type Issue, nearest } from './issues.ts'
import { scanJson, utf8Bytes } from './json-scan.ts'
import { isReservedType } from './match.ts'
import { notBeforeName, notBeforeProblem } from './not-before.ts'

/** What one event may not exceed. */
export interface EventLimits {
  /** Bytes of data; 1 MiB when absent. */
  readonly dataBytes?: number | undefined
  /** Bytes of meta as JSON text; 64 KiB when absent. */
  readonly metaBytes?: number | undefined
  /** Nesting of data, and of meta; 64 when absent. */
  readonly depth?: number | undefined
  /** Keys in data, and in meta; 10,000 when absent. */
  readonly keys?: number | undefined
  /** True for the engine itself: types beginning with `millrace.` may pass. */
  readonly allowReserved?: boolean | undefined
  /** What time it is, to refuse a `notBefore` too far ahead; nothing is too far when absent. */
  readonly nowMs?: number | undefined
}

/** What a check answers: the record to store, or everything that is wrong, with the key as far as it can be read. */
export type CheckedEvent =
  | { readonly ok: true; readonly record: EventRecord }
  | {
      readonly ok: false
      readonly issues: readonly Issue[]
      readonly id?: string | undefined
      readonly source?: string | undefined
    }

/** The fields of an event as somebody gave them, not yet checked; null counts as absent, but for data. */
export interface GivenEvent {
  readonly source?: unknown
  readonly id?: unknown
  readonly type?: unknown
  readonly subject?: unknown
  readonly time?: unknown
  readonly notBefore?: unknown
  readonly data?: unknown
  readonly meta?: unknown
  readonly datacontenttype?: unknown
  readonly dataschema?: unknown
}

/** Data that is serialised already: JSON text as the producer wrote it, or bytes that nobody else changes. */
export type ReadyData = string | Uint8Array

const maxText = {
  id: 255,
  source: 512,
  type: 255,
  subject: 512,
  datacontenttype: 255,
  dataschema: 2_048,
  time: 64,
  notBefore: 64,
} as const
type TextField = keyof typeof maxText

const otherNames = {
  event_id: 'id',
  event_type: 'type',
  entity_id: 'subject',
  occurred_at: 'time',
  source_id: 'source',
  notbefore: 'notBefore',
} as const
type OtherName = keyof typeof otherNames

const fieldNames = [
  'source',
  'id',
  'type',
  'subject',
  'time',
  'notBefore',
  'data',
  'meta',
  'datacontenttype',
  'dataschema',
] as const
const known = new Set<string>(fieldNames)

/**
 * Turns what a producer gave into what is stored, or says everything that is wrong with it. Data and meta are
 * serialised here, once; `dataText` is the data as the producer wrote it, where the input was JSON text.
 * Fields that do not exist are refused, so that nothing is lost in silence.
 */
export function checkEvent(input: unknown, limits: EventLimits = {}, dataText?: string): CheckedEvent {
  if (!isFields(input)) {
    return { ok: false, issues: [{ code: 'event-invalid', message: 'an event is an object with source, id and type' }] }
  }
  const issues: Issue[] = []
  let given: GivenEvent = input
  for (const name in input) {
    if (!known.has(name)) {
      given = withOtherNames(input, issues)
      break
    }
  }
  const data = dataText ?? readData(given.data, given.datacontenttype, issues)
  return checkGiven(given, data, issues, limits)
}

function isFields(input: unknown): input is Readonly<Record<string, unknown>> {
  return typeof input === 'object' && input !== null && !Array.isArray(input)
}

/** The same for fields whose data is serialised already; `issues` are those found before. `given.data` is not looked at. */
export function checkGiven(
  given: GivenEvent,
  data: ReadyData | undefined,
  issues: Issue[],
  limits: EventLimits,
): CheckedEvent {
  const source = readText(given.source, 'source', true, issues)
  const id = readText(given.id, 'id', true, issues)
  const type = readText(given.type, 'type', true, issues)
  const subject = readText(given.subject, 'subject', false, issues)
  const time = readTime(given.time, 'time', issues)
  const datacontenttype = readText(given.datacontenttype, 'datacontenttype', false, issues)
  const dataschema = readText(given.dataschema, 'dataschema', false, issues)
  const meta = readMeta(withNotBefore(given, limits, issues), issues)
  if (type !== undefined) checkType(type, limits, issues)
  if (datacontenttype !== undefined && !datacontenttype.includes('/')) {
    invalid(issues, 'datacontenttype', 'is not a media type such as application/json')
  }
  if (data !== undefined) checkData(data, limits, issues)
  if (meta !== undefined) checkText(meta, 'meta', limits.metaBytes ?? 65_536, limits, issues)
  if (issues.length > 0 || source === undefined || id === undefined || type === undefined) {
    return { ok: false, issues, id, source }
  }
  // Always all fields in one order: records of one shape are what the engine reads fastest.
  return { ok: true, record: { source, id, type, subject, time, data, meta, datacontenttype, dataschema } }
}

function invalid(issues: Issue[], field: string, problem: string): undefined {
  issues.push({ code: 'event-invalid', message: `${field} ${problem}`, path: [field] })
}

/** Puts `event_id` and its like in their places and refuses what is neither. */
function withOtherNames(input: Readonly<Record<string, unknown>>, issues: Issue[]): GivenEvent {
  const given = new Map<string, unknown>(fieldNames.map((name) => [name, input[name]]))
  for (const name of Object.keys(input)) {
    if (known.has(name)) continue
    if (!Object.hasOwn(otherNames, name)) {
      const suggestion = nearest(name, fieldNames)
      const message = `${JSON.stringify(name.slice(0, 40))} is not a field of an event: put free context into meta`
      issues.push({
        code: 'event-invalid',
        message,
        path: [name.slice(0, 40)],
        suggestion,
        available: [...fieldNames].sort(),
      })
      continue
    }
    const field = otherNames[name as OtherName]
    const own = given.get(field) ?? undefined
    if (own !== undefined && own !== input[name]) {
      invalid(issues, name, `and ${field} are names of one field, but their values differ: give one of them`)
    }
    given.set(field, input[name])
  }
  return Object.fromEntries(given)
}

function readText(value: unknown, field: TextField, isRequired: boolean, issues: Issue[]): string | undefined {
  if (value === undefined || value === null) {
    return isRequired ? invalid(issues, field, 'is missing') : undefined
  }
  if (typeof value !== 'string') return invalid(issues, field, 'must be a string')
  const problem = textProblem(value, maxText[field])
  return problem === undefined ? value : invalid(issues, field, problem)
}

function readTime(
  value: unknown,
  field: 'time' | 'notBefore',
  issues: Issue[],
  problemOf: (text: string) => string | undefined = timeProblem,
): string | undefined {
  if (value instanceof globalThis.Date && Number.isNaN(value.getTime())) {
    return invalid(issues, field, 'is an invalid Date')
  }
  const text = readText(value instanceof globalThis.Date ? value.toISOString() : value, field, false, issues)
  if (text === undefined) return undefined
  const problem = problemOf(text)
  return problem === undefined ? text : invalid(issues, field, problem)
}

/** Meta with the `notBefore` of the event, which may have come as an entry of it too: that is how it travels. */
function withNotBefore({ notBefore, meta }: GivenEvent, { nowMs }: EventLimits, issues: Issue[]): unknown {
  const entries = isPlainObject(meta) ? meta : {}
  const entry = entries[notBeforeName] ?? undefined
  const given = notBefore ?? entry
  if (given === undefined || (meta && entries !== meta)) return meta
  const problemOf = (written: string): string | undefined => notBeforeProblem(written, nowMs)
  const text = readTime(given, 'notBefore', issues, problemOf)
  const same = entry === undefined || given === entry ? text : readTime(entry, 'notBefore', issues, problemOf)
  if (text !== same) invalid(issues, 'notBefore', 'and the meta entry notbefore are one thing, but differ: give one')
  return { ...entries, [notBeforeName]: text }
}

function checkType(type: string, limits: EventLimits, issues: Issue[]): void {
  const problem = typeProblem(type)
  if (problem !== undefined) invalid(issues, 'type', problem)
  else if (isReservedType(type) && limits.allowReserved !== true) {
    issues.push({
      code: 'type-reserved',
      message: 'types beginning with millrace. belong to the engine',
      path: ['type'],
    })
  }
}

function readData(value: unknown, datacontenttype: unknown, issues: Issue[]): ReadyData | undefined {
  if (value === undefined) return undefined
  if (value instanceof Uint8Array) {
    if (typeof datacontenttype === 'string' && !isJsonType(datacontenttype)) return new Uint8Array(value)
    return invalid(
      issues,
      'data',
      'is bytes: say what they are in datacontenttype, for example application/octet-stream',
    )
  }
  return serialise(value, 'data', issues)
}

function readMeta(value: unknown, issues: Issue[]): string | undefined {
  if (value === undefined || value === null) return undefined
  if (!isPlainObject(value)) return invalid(issues, 'meta', 'must be a plain object')
  const text = serialise(value, 'meta', issues)
  if (text === '{}' || text === undefined) return undefined
  return text.startsWith('{') ? text : invalid(issues, 'meta', 'must be a plain object')
}

function serialise(value: unknown, field: 'data' | 'meta', issues: Issue[]): string | undefined {
  try {
    const text = JSON.stringify(value) as string | undefined
    return text ?? invalid(issues, field, 'is a function or symbol, which JSON cannot hold')
  } catch {
    // The error's own text may quote the data.
    return invalid(
      issues,
      field,
      'cannot be written as JSON: it holds a cycle or a bigint, is nested too deeply, or its toJSON throws',
    )
  }
}

function checkData(data: ReadyData, limits: EventLimits, issues: Issue[]): void {
  const maxBytes = limits.dataBytes ?? 1_048_576
  if (typeof data === 'string') checkText(data, 'data', maxBytes, limits, issues)
  else if (data.length > maxBytes) tooLarge('data', maxBytes, issues)
}

function checkText(text: string, field: 'data' | 'meta', maxBytes: number, limits: EventLimits, issues: Issue[]): void {
  if (text.length > maxBytes || (text.length * 3 > maxBytes && utf8Bytes(text) > maxBytes)) {
    tooLarge(field, maxBytes, issues)
    return
  }
  const depth = limits.depth ?? 64
  const keys = limits.keys ?? 10_000
  const scan = scanJson(text, { depth, keys })
  if (!scan.ok) invalid(issues, field, `is refused: ${scan.problem}`)
}

function tooLarge(field: string, maxBytes: number, issues: Issue[]): void {
  issues.push({ code: 'body-too-large', message: `${field} is larger than ${maxBytes} bytes`, path: [field] })
}
