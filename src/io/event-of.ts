import { coreAttributes, deliveryExtensions } from '../core/cloud-event-names.ts'
import type { EventInput } from '../core/event.ts'

/** An event as a source yields it: `source` may be left to the configured name. */
export type SourceEvent = Omit<EventInput, 'source'> & { readonly source?: string | undefined }

type Members = Readonly<Record<string, unknown>>

const fields = ['id', 'source', 'type', 'subject', 'time', 'data', 'meta', 'datacontenttype', 'dataschema'] as const
const fieldNames = new Set<string>([...fields, 'notBefore'])

/**
 * The event that a JSON value is, if it is one: a CloudEvent (with `specversion`), or an object with `id`, `source` and
 * `type` as text and no members but those of an event. Everything else is somebody's data, and undefined is answered.
 * Only the shape is looked at: a wrong value is passed on, and the check of ingest refuses it and names the field.
 */
export function eventOf(value: unknown): SourceEvent | undefined {
  if (!isMembers(value) || !isText(value['id']) || !isText(value['source']) || !isText(value['type'])) return undefined
  if (value['specversion'] !== undefined) return eventOfCloudEvent(value)
  if (!Object.keys(value).every((name) => fieldNames.has(name))) return undefined
  return value as unknown as SourceEvent
}

function eventOfCloudEvent(value: Members): SourceEvent {
  const event: Record<string, unknown> = {}
  for (const name of fields) {
    if (name !== 'meta' && Object.hasOwn(value, name) && (name === 'data' || value[name] !== null))
      event[name] = value[name]
  }
  const encoded = value['data_base64']
  if (isText(encoded)) {
    event['data'] = new Uint8Array(Buffer.from(encoded, 'base64'))
    event['datacontenttype'] ??= 'application/octet-stream'
  }
  const meta = extensionsOf(value)
  if (meta.length > 0) event['meta'] = Object.fromEntries(meta)
  return event as unknown as SourceEvent
}

/** What is neither an attribute nor added on delivery; what another Millrace put into `meta` comes out again. */
function extensionsOf(value: Members): [string, unknown][] {
  const entries: [string, unknown][] = []
  for (const [name, extension] of Object.entries(value)) {
    if (coreAttributes.has(name) || deliveryExtensions.has(name) || extension === null) continue
    const inner = name === 'meta' ? metaOf(extension) : undefined
    // Before the others: an attribute of its own wins over an entry of the same name.
    if (inner === undefined) entries.push([name, extension])
    else entries.unshift(...Object.entries(inner))
  }
  return entries
}

function metaOf(extension: unknown): Members | undefined {
  if (isMembers(extension)) return extension
  if (!isText(extension) || !extension.startsWith('{')) return undefined
  try {
    const parsed: unknown = JSON.parse(extension)
    return isMembers(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
