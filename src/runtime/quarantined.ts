import { encodeBase64 } from '../core/base64.ts'
import { eventToJson, readJsonEvents } from '../core/cloud-event.ts'
import { AppError } from '../core/errors.ts'
import { Event, type EventRecord, type Sequence } from '../core/event.ts'
import { memberSpan } from '../core/json-scan.ts'
import type { Platform } from '../core/platform.ts'
import type { DataProblem } from '../plugin/json-schema.ts'
import type { Store } from '../plugin/store.ts'
import type { PublishResult } from './api.ts'
import type { Ingest } from './ingest.ts'

const type = 'millrace.quarantined'

/**
 * The event of the engine that stands for one that does not fit its schema, with the original inside, as its producer gave
 * it. Its id follows from the original, so that one that is sent again is quarantined once.
 */
export function quarantinedRecord(
  record: EventRecord,
  version: number,
  problems: readonly DataProblem[],
  platform: Platform,
): EventRecord {
  const { source, id, subject, data } = record
  const content = typeof data === 'string' || data === undefined ? data : encodeBase64(data)
  const key = platform.digest(JSON.stringify([source, id, record.type, subject, content]))
  const facts = JSON.stringify({ type: record.type, version, problems })
  return {
    source: 'millrace:/engine',
    id: `quarantined-${key}`,
    type,
    subject: record.type,
    data: `${facts.slice(0, -1)},"event":${originalText(record)}}`,
  }
}

/** The original as CloudEvents JSON, data as it was written, without what only the log would have given it. */
function originalText(record: EventRecord): string {
  const shown = eventToJson(new Event({ ...record, sequence: 0, appendedAt: 0 }), 'summary')
  const { recordedtime: _, time, ...members } = JSON.parse(shown) as Record<string, unknown>
  const head = JSON.stringify(record.time === undefined ? members : { ...members, time })
  const { data } = record
  if (data === undefined) return head
  const member = typeof data === 'string' ? `"data":${data}` : `"data_base64":"${encodeBase64(data)}"`
  return `${head.slice(0, -1)},${member}}`
}

/** Checks the original of a quarantined event again and appends it; throws while it does not fit. */
export async function redriveQuarantined(
  { store, ingest }: { readonly store: Store; readonly ingest: Ingest },
  sequence: Sequence,
): Promise<PublishResult> {
  const result = await ingest.redrive(await readQuarantined(store, sequence))
  if (result.status === 'refused')
    throw new AppError('schema-mismatch', `redriving the quarantined event ${sequence} failed: ${result.error.message}`)
  return { ...result, durability: store.durability }
}

/** The original of a quarantined event; throws when there is none at that place of the log. */
async function readQuarantined(store: Store, sequence: Sequence): Promise<EventRecord> {
  const [event] = await store.readMany([sequence])
  const doing = `redriving the quarantined event ${sequence} failed`
  if (event === undefined) throw new AppError('not-found', `${doing}: there is no event at that place of the log`)
  const { data } = event.record
  if (event.type !== type || typeof data !== 'string')
    throw new AppError('state-conflict', `${doing}: the event there is no quarantined one; its type must be ${type}`)
  const span = memberSpan(data, 'event')
  // It came in under the limits of its time, which may have been wider.
  const wide = Number.MAX_SAFE_INTEGER
  const limits = { dataBytes: wide, metaBytes: wide, depth: 1000, keys: wide }
  const read = span && readJsonEvents(data.slice(span.start, span.end), 'single', limits)
  const [checked] = read?.ok === true ? read.events : []
  if (checked?.ok !== true) throw new AppError('internal', `${doing}: the original inside cannot be read`)
  return checked.record
}
