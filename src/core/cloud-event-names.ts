/** The attributes of CloudEvents itself, and the members that carry data. */
export const coreAttributes: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
  'data_base64',
])

/** Extensions that delivery adds; they say where an event was stored and why it was sent, so they are dropped when it comes in again. */
export const deliveryExtensions: ReadonlySet<string> = new Set(['sequence', 'recordedtime', 'replayid'])

/** True for a meta entry that can travel as an attribute of its own; the others go into the extension `meta`. */
export function isAttribute(name: string, value: unknown): boolean {
  if (!/^[a-z0-9]{1,20}$/.test(name)) return false
  if (coreAttributes.has(name) || deliveryExtensions.has(name) || name === 'meta') return false
  if (typeof value === 'number') return (value | 0) === value && !Object.is(value, -0)
  return typeof value === 'boolean' || (typeof value === 'string' && !hasControl(value))
}

/** The String type of CloudEvents excludes control characters. */
function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true
  }
  return false
}
