import type { EventRecord, StoredRecord } from './event.ts'
import { isJsonType, isPlainObject, textProblem, timeProblem, typeProblem } from './event-fields.ts'
import { type GivenEvent, invalid, isKnownField, withOtherNames } from './event-names.ts'
import type { Issue } from './issues.ts'
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

/** The fields of an event that may be changed on its way. */
export type ChangedFields = Pick<GivenEvent, 'type' | 'subject' | 'time' | 'data' | 'meta'>

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
    if (!isKnownField(name)) {
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

/**
 * The record with what somebody changes of it; only that is written and checked. `subject` and `time` can be removed by
 * undefined, the others are as they were. `notBefore` is looked for in the new meta, too.
 */
export function checkChanged(
  record: StoredRecord,
  change: ChangedFields,
  limits: EventLimits = {},
): { readonly ok: true; readonly record: StoredRecord } | { readonly ok: false; readonly issues: readonly Issue[] } {
  const issues: Issue[] = []
  const { sequence, appendedAt, source, id } = record
  let { type, subject, time, data, meta } = record
  if (change.type !== undefined && change.type !== type) {
    type = readText(change.type, 'type', true, issues) ?? type
    if (issues.length === 0) checkType(type, limits, issues)
  }
  if ('subject' in change) subject = readText(change.subject, 'subject', false, issues)
  if ('time' in change) time = readTime(change.time, 'time', issues)
  if ('data' in change) {
    data = readData(change.data, record.datacontenttype, issues)
    if (data !== undefined) checkData(data, limits, issues)
  }
  if ('meta' in change) {
    meta = readMeta(withNotBefore(change, limits, issues), issues)
    if (meta !== undefined) checkText(meta, 'meta', limits.metaBytes ?? 65_536, limits, issues)
  }
  if (issues.length > 0) return { ok: false, issues }
  const { datacontenttype, dataschema } = record
  return {
    ok: true,
    record: { sequence, appendedAt, source, id, type, subject, time, data, meta, datacontenttype, dataschema },
  }
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
function withNotBefore({ notBefore, meta }: GivenEvent, limits: EventLimits, issues: Issue[]): unknown {
  if (notBefore === undefined && meta === undefined) return undefined
  const entries = isPlainObject(meta) ? meta : {}
  const entry = entries[notBeforeName] ?? undefined
  const given = notBefore ?? entry
  if (given === undefined || (meta && entries !== meta)) return meta
  const problemOf = (written: string): string | undefined => notBeforeProblem(written, limits.nowMs)
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
