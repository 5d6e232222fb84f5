import { isAttribute } from './cloud-event-names.ts'
import type { Event } from './event.ts'

/**
 * The attributes of an event as CloudEvents puts them beside its data in binary mode: a flat list of `ce-*` names and
 * values, percent-encoded. `datacontenttype` is not among them: it is the `Content-Type` of the data.
 */
export function binaryAttributes(event: Event): string[] {
  const { id, source, type, subject, dataschema } = event
  const headers = ['ce-specversion', '1.0', 'ce-id', encode(id), 'ce-source', encode(source), 'ce-type', encode(type)]
  if (subject !== undefined) headers.push('ce-subject', encode(subject))
  headers.push('ce-time', event.time, 'ce-sequence', String(event.sequence), 'ce-recordedtime', event.recordedtime)
  const { replayid } = event
  if (replayid !== undefined) headers.push('ce-replayid', encode(replayid))
  if (dataschema !== undefined) headers.push('ce-dataschema', encode(dataschema))
  if (event.record.meta === undefined) return headers
  const rest: [string, unknown][] = []
  for (const [name, value] of Object.entries(event.meta)) {
    if (isAttribute(name, value)) headers.push(`ce-${name}`, encode(String(value)))
    else rest.push([name, value])
  }
  // Object.fromEntries defines members, so that a key `__proto__` stays a key.
  if (rest.length > 0) headers.push('ce-meta', encode(JSON.stringify(Object.fromEntries(rest))))
  return headers
}

/** Everything outside U+0021 to U+007E, and the space, the double quote and the percent sign, as percent-encoded UTF-8. */
function encode(text: string): string {
  if (/^[\x21\x23\x24\x26-\x7e]*$/.test(text)) return text
  return text.toWellFormed().replace(/[^\x21\x23\x24\x26-\x7e]+/g, encodeURIComponent)
}
