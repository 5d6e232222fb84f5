import { encodeBase64 } from './base64.ts'
import { isAttribute } from './cloud-event-names.ts'
import type { Event } from './event.ts'

export {
  isJsonArray,
  type ReadLimits,
  type ReadResult,
  readBinaryEvent,
  readJsonEvents,
} from './cloud-event-read.ts'

/** `full`: everything; `summary`: the same without data. */
export const payloadModes = ['full', 'summary'] as const
export type PayloadMode = (typeof payloadModes)[number]

/**
 * The event as every wire carries it: CloudEvents JSON with the extensions `sequence` (a string) and `recordedtime`,
 * and in a replay `replayid`.
 * Data that is JSON is copied as the producer wrote it; bytes become `data_base64`.
 */
export function eventToJson(event: Event, mode: PayloadMode = 'full'): string {
  const { record } = event
  let text = `{"specversion":"1.0","id":${JSON.stringify(record.id)},"source":${JSON.stringify(record.source)}`
  // A type and a time hold nothing that JSON escapes: they were checked when the event came in.
  text += `,"type":"${record.type}"`
  if (record.subject !== undefined) text += `,"subject":${JSON.stringify(record.subject)}`
  text += `,"time":"${event.time}"`
  // One that was only emitted has no place in the log.
  if (record.sequence > 0) text += `,"sequence":"${record.sequence}"`
  text += `,"recordedtime":"${event.recordedtime}"`
  const { replayid } = event
  if (replayid !== undefined) text += `,"replayid":${JSON.stringify(replayid)}`
  if (record.datacontenttype !== undefined) text += `,"datacontenttype":${JSON.stringify(record.datacontenttype)}`
  if (record.dataschema !== undefined) text += `,"dataschema":${JSON.stringify(record.dataschema)}`
  if (record.meta !== undefined) text += metaMembers(event)
  if (mode === 'full') text += dataMember(record.data)
  return `${text}}`
}

/** Events as a CloudEvents batch: a JSON array. */
export function batchToJson(events: readonly Event[], mode: PayloadMode = 'full'): string {
  return `[${events.map((event) => eventToJson(event, mode)).join(',')}]`
}

function dataMember(data: string | Uint8Array | undefined): string {
  if (data === undefined) return ''
  return typeof data === 'string' ? `,"data":${data}` : `,"data_base64":"${encodeBase64(data)}"`
}

function metaMembers(event: Event): string {
  let attributes = ''
  const rest: [string, unknown][] = []
  for (const [name, value] of Object.entries(event.meta)) {
    if (isAttribute(name, value)) attributes += `,"${name}":${JSON.stringify(value)}`
    else rest.push([name, value])
  }
  if (rest.length === 0) return attributes
  // Object.fromEntries defines members, so that a key `__proto__` stays a key.
  return `${attributes},"meta":${JSON.stringify(JSON.stringify(Object.fromEntries(rest)))}`
}
