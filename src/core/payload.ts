import { encodeBase64 } from './base64.ts'
import { eventToJson } from './cloud-event.ts'
import type { Event, Json } from './event.ts'

/** What a subscription sends of an event: all of it, all but its data, or what a template makes of it. */
export type Payload =
  | { readonly kind: 'full' }
  | { readonly kind: 'summary' }
  | { readonly kind: 'template'; readonly template: Json }

/** The body of one event as JSON text. */
export function bodyOf(event: Event, payload: Payload): string {
  if (payload.kind !== 'template') return eventToJson(event, payload.kind)
  return JSON.stringify(fill(payload.template, rootOf(event)))
}

/** The body of a whole batch as JSON text: with a template, `root` is the list; else a list of events. */
export function batchBodyOf(events: readonly Event[], payload: Payload): string {
  if (payload.kind !== 'template') return `[${events.map((event) => eventToJson(event, payload.kind)).join(',')}]`
  return JSON.stringify(fill(payload.template, events.map(rootOf)))
}

/** What `root` stands for: the envelope, under its own names and under the other names of the same fields. */
function rootOf(event: Event): Json {
  const { id, source, type, subject = null, time, recordedtime, sequence, meta, replayid = null } = event
  const isBytes = event.record.data instanceof Uint8Array
  const data: Json = isBytes ? null : (event.data ?? null)
  return {
    id,
    source,
    type,
    subject,
    time,
    recordedtime,
    sequence,
    replayid,
    data,
    meta,
    ...(isBytes && { data_base64: encodeBase64(event.record.data as Uint8Array) }),
    event_id: id,
    source_id: source,
    event_type: type,
    entity_id: subject,
    occurred_at: time,
    created_at: recordedtime,
  }
}

const whole = /^([#$])root((?:\.[\w-]+)*)$/
const within = /([#$])root((?:\.[\w-]+)*)/g

/**
 * Fills a template. A text that is only `#root.path` becomes the value itself, one that is only `$root.path` its JSON
 * text; inside longer text both are written in place. Digits index lists. Where a path leads nowhere the whole value is
 * null, and inside text `#` leaves nothing and `$` writes null. Only own members are reached. Everything else is literal.
 */
export function fill(template: Json, root: Json): Json {
  if (typeof template === 'string') return fillText(template, root)
  if (typeof template !== 'object' || template === null) return template
  if (isList(template)) return template.map((part) => fill(part, root))
  // fromEntries defines members, so that a key `__proto__` stays a key.
  return Object.fromEntries(Object.entries(template).map(([key, part]) => [key, fill(part, root)]))
}

function fillText(text: string, root: Json): Json {
  const only = whole.exec(text)
  if (only !== null) {
    const value = walk(root, only[2]!)
    return value === undefined ? null : only[1] === '#' ? value : JSON.stringify(value)
  }
  return text.replace(within, (_, sign: string, path: string) => {
    const value = walk(root, path)
    if (value === undefined) return sign === '#' ? '' : 'null'
    return sign === '#' && typeof value === 'string' ? value : JSON.stringify(value)
  })
}

function walk(root: Json, path: string): Json | undefined {
  let value: Json | undefined = root
  for (const step of path.split('.').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined
    if (isList(value)) value = /^\d{1,9}$/.test(step) ? value[Number(step)] : undefined
    else value = Object.hasOwn(value, step) ? (value as { readonly [key: string]: Json })[step] : undefined
  }
  return value
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
