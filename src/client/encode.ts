import { encodeBase64 } from '../core/base64.ts'
import type { EventRecord } from '../core/event.ts'
import { checkEvent } from '../core/event-check.ts'
import { isPlainObject } from '../core/event-fields.ts'
import { newId } from './id.ts'
import type { PublishResult } from './types.ts'

/** An event as it is sent: its JSON text, with the id that it keeps over all attempts. */
export interface Encoded {
  readonly id: string
  readonly source: string
  readonly text: string
}

/** Sizes and nesting are the server's matter: it says what it takes. */
const limits = { dataBytes: Infinity, metaBytes: Infinity, keys: Infinity, depth: 1000 }

/** Checks an event and writes it as JSON, once; or says why it is refused. */
export function encode(input: unknown, source: string | undefined): Encoded | PublishResult {
  const named = isPlainObject(input)
    ? { ...input, id: input['id'] ?? newId(), source: input['source'] ?? source }
    : input
  const checked = checkEvent(named, limits)
  if (checked.ok) return { id: checked.record.id, source: checked.record.source, text: textOf(checked.record) }
  const [first] = checked.issues
  return {
    id: checked.id ?? '',
    source: checked.source ?? '',
    status: 'refused',
    error: { code: first?.code ?? 'event-invalid', message: checked.issues.map(({ message }) => message).join('; ') },
  }
}

/** Plain JSON with our field names; data that is bytes needs the form of CloudEvents. */
function textOf({ id, source, type, subject, time, datacontenttype, dataschema, data, meta }: EventRecord): string {
  const isBytes = data !== undefined && typeof data !== 'string'
  const specversion = isBytes ? '1.0' : undefined
  let text = JSON.stringify({ specversion, id, source, type, subject, time, datacontenttype, dataschema }).slice(0, -1)
  if (meta !== undefined) text += `,"meta":${meta}`
  if (isBytes) text += `,"data_base64":"${encodeBase64(data)}"`
  else if (data !== undefined) text += `,"data":${data}`
  return `${text}}`
}
