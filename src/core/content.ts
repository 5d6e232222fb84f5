import { depthAttribute } from './derived.ts'
import type { EventRecord } from './event.ts'
import { hopAttribute } from './hops.ts'
import { versionAttribute } from './schema-version.ts'

/**
 * Whether a second event with the same source and id is the same fact (`duplicate`) or another one (`conflict`).
 * Compared: type, subject, content type, schema, data as canonical JSON, and of meta and time only what the producer gave.
 * Trace context and the number of hops differ from one attempt to the next, the version of the schema is written on events
 * that come without one: these never count.
 */
export function isSameContent(a: EventRecord, b: EventRecord): boolean {
  return (
    a.type === b.type &&
    a.subject === b.subject &&
    a.time === b.time &&
    a.datacontenttype === b.datacontenttype &&
    a.dataschema === b.dataschema &&
    isSameData(a.data, b.data) &&
    isSameMeta(a.meta, b.meta)
  )
}

function isSameData(a: EventRecord['data'], b: EventRecord['data']): boolean {
  if (a === b) return true
  if (a === undefined || b === undefined) return false
  if (typeof a === 'string' || typeof b === 'string') {
    return typeof a === 'string' && typeof b === 'string' && canonicalJson(a) === canonicalJson(b)
  }
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

/** What the way of an event adds. */
const wayKeys = new Set([
  '"traceparent"',
  '"tracestate"',
  `"${hopAttribute}"`,
  `"${depthAttribute}"`,
  `"${versionAttribute}"`,
])

function isSameMeta(a: string | undefined, b: string | undefined): boolean {
  return a === b || canonicalJson(a ?? '{}', wayKeys) === canonicalJson(b ?? '{}', wayKeys)
}

interface Container {
  /** Canonical key → canonical value; undefined in an array. */
  readonly members: Map<string, string> | undefined
  readonly items: string[]
  key: string | undefined
}

const token = /[\s,:]*(?:([{[])|([}\]])|("[^"\\]*(?:\\.[^"\\]*)*")|([^\s,:{}[\]"]+))/y

/**
 * JSON text with sorted keys, no white space, one spelling for each string and each number. Works on the text: numbers beyond
 * 2^53 keep their identity. The last of repeated keys counts. Text that is not JSON comes back as it is.
 * @param ignored Keys (as JSON text) left out at the top level.
 */
export function canonicalJson(text: string, ignored?: ReadonlySet<string>): string {
  const open: Container[] = []
  let result: string | undefined
  const emit = (value: string): boolean => {
    const parent = open.at(-1)
    if (parent === undefined) {
      if (result !== undefined) return false
      result = value
    } else if (parent.members === undefined) parent.items.push(value)
    else if (parent.key === undefined) parent.key = value
    else {
      if (open.length > 1 || ignored?.has(parent.key) !== true) parent.members.set(parent.key, value)
      parent.key = undefined
    }
    return true
  }
  token.lastIndex = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const end = token.lastIndex
    const [, opening, closing, string, scalar] = match
    if (opening !== undefined)
      open.push({ members: opening === '{' ? new Map() : undefined, items: [], key: undefined })
    else if (closing !== undefined) {
      const done = open.pop()
      if (done === undefined || !emit(containerText(done))) return text
    } else {
      const value = string === undefined ? numberText(scalar!) : stringText(string)
      if (value === undefined || !emit(value)) return text
    }
    token.lastIndex = end
  }
  return open.length === 0 && result !== undefined ? result : text
}

function containerText({ members, items }: Container): string {
  if (members === undefined) return `[${items.join(',')}]`
  const keys = [...members.keys()].sort()
  return `{${keys.map((key) => `${key}:${members.get(key)}`).join(',')}}`
}

function stringText(text: string): string | undefined {
  if (!text.includes('\\')) return text
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return undefined
  }
}

const numberParts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,15}))?$/

/** Digits without leading and trailing zeros, and the power of ten of the last one: `1.0`, `1` and `10e-1` are the same. */
function numberText(text: string): string | undefined {
  const parts = numberParts.exec(text)
  if (parts === null) return /^(?:true|false|null|-?\d[\d.eE+-]*)$/.test(text) ? text : undefined
  const [, sign, whole, fraction = '', exponent = '0'] = parts
  const all = `${whole}${fraction}`.replace(/^0+/, '')
  const digits = all.replace(/0+$/, '')
  if (digits === '') return '0'
  return `${sign}${digits}e${Number(exponent) - fraction.length + (all.length - digits.length)}`
}
