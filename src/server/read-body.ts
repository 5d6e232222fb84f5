import { isJsonArray, type ReadLimits, type ReadResult, readBinaryEvent, readJsonEvents } from '../core/cloud-event.ts'
import { decodeUtf8 } from './reading.ts'

/** How events lie in bytes. `json`: one or many, as the text begins. */
export type BodyForm =
  | { readonly kind: 'single' | 'batch' | 'json' | 'line' }
  | { readonly kind: 'binary'; readonly headers: Readonly<Record<string, string>> }

/** What a body holds. */
export interface ReadBody {
  readonly isBatch: boolean
  readonly result: ReadResult
}

/** Reads the events of a body; throws `body-malformed` when it is no text. The same in the main thread and in a worker. */
export function readBody(bytes: Uint8Array, form: BodyForm, limits: ReadLimits): ReadBody {
  if (form.kind === 'binary')
    return { isBatch: false, result: { ok: true, events: [readBinaryEvent(form.headers, bytes, limits)] } }
  const text = decodeUtf8(bytes)
  if (form.kind === 'line') return { isBatch: false, result: readJsonEvents(text, 'line', limits) }
  const isBatch = form.kind === 'batch' || (form.kind === 'json' && isJsonArray(text))
  return { isBatch, result: readJsonEvents(text, isBatch ? 'batch' : 'single', limits) }
}
