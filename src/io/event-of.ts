import type { EventInput, Json } from '../core/event.ts'

/** An event as a source yields it: `source` may be left to the configured name. */
export type SourceEvent = Omit<EventInput, 'source'> & { readonly source?: string | undefined }

const attributes = new Set(['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'dataschema'])

/**
 * The event that a JSON value is, if it is one: an object with `id`, `source` and `type` as text, or a CloudEvent
 * (with `specversion`). Everything else is somebody's data, and undefined is answered.
 */
export function eventOf(value: unknown): SourceEvent | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const given = value as Record<string, unknown>
  if (!isText(given['id']) || !isText(given['source']) || !isText(given['type'])) return undefined
  const meta = new Map<string, unknown>()
  for (const [name, member] of Object.entries(given)) {
    if (name === 'meta' && isObject(member)) for (const [key, inner] of Object.entries(member)) meta.set(key, inner)
    else if (!attributes.has(name) && name !== 'data' && name !== 'data_base64') meta.set(name, member)
  }
  const base64 = given['data_base64']
  const data = isText(base64) ? new Uint8Array(Buffer.from(base64, 'base64')) : (given['data'] as Json | undefined)
  return {
    id: given['id'],
    source: given['source'],
    type: given['type'],
    ...optionalText(given, 'subject'),
    ...optionalText(given, 'time'),
    ...optionalText(given, 'datacontenttype'),
    ...optionalText(given, 'dataschema'),
    ...(data !== undefined && { data }),
    ...(meta.size > 0 && { meta: Object.fromEntries(meta) }),
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// A wrong kind of value is passed on as it is: the checks of ingest refuse it and name the field.
function optionalText(given: Record<string, unknown>, name: string): Record<string, string> {
  const value = given[name]
  return value === undefined || value === null ? {} : { [name]: value as string }
}
