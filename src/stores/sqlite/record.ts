import { crc32 } from 'node:zlib'
import { AppError } from '../../core/errors.ts'
import type { EventRecord, StoredRecord } from '../../core/event.ts'

/** One field of an event as it crosses threads and as SQLite takes and gives it. */
export type Field = string | Uint8Array | null

/** The order of an event's fields in flat arrays: nine per event. */
export const fieldsPerEvent = 9
/** sequence and appendedAt come first in what a reader sends. */
export const valuesPerRow = 2 + fieldsPerEvent

/** The columns in the order of a row: sequence, append time, the nine fields, checksum. */
export const eventColumns =
  'sequence, appended_at, source, id, type, subject, time, data, meta, datacontenttype, dataschema, sum'
export const columnsPerEvent = 12

const wellFormed = (value: string | undefined): string | null => {
  if (value === undefined) return null
  return value.isWellFormed() ? value : value.toWellFormed()
}

/** Appends the fields of a record; answers its size in code units or bytes. What SQLite cannot store as text is replaced here. */
export function packRecord(record: EventRecord, into: Field[]): number {
  const { data } = record
  const source = wellFormed(record.source) as string
  const id = wellFormed(record.id) as string
  const type = wellFormed(record.type) as string
  const subject = wellFormed(record.subject)
  const meta = wellFormed(record.meta)
  // Bytes are copied: the caller may use its buffer again, and one view must not carry a whole pool across threads.
  const content = data instanceof Uint8Array ? data.slice() : wellFormed(data)
  into.push(
    source,
    id,
    type,
    subject,
    wellFormed(record.time),
    content,
    meta,
    wellFormed(record.datacontenttype),
    wellFormed(record.dataschema),
  )
  return (
    64 + source.length + id.length + type.length + (subject?.length ?? 0) + (meta?.length ?? 0) + (content?.length ?? 0)
  )
}

/** The record at an offset of a flat array. Absent fields are absent, not undefined. */
export function unpackRecord(
  fields: readonly unknown[],
  at: number,
  sequence: number,
  appendedAt: number,
): StoredRecord {
  const values = fields as readonly (string | null)[]
  const record: { -readonly [Key in keyof StoredRecord]: StoredRecord[Key] } = {
    sequence,
    appendedAt,
    source: values[at] as string,
    id: values[at + 1] as string,
    type: values[at + 2] as string,
  }
  const [subject, time, data, meta] = [values[at + 3], values[at + 4], values[at + 5], values[at + 6]]
  if (subject != null) record.subject = subject
  if (time != null) record.time = time
  if (data != null) record.data = data
  if (meta != null) record.meta = meta
  const [contentType, schema] = [values[at + 7], values[at + 8]]
  if (contentType != null) record.datacontenttype = contentType
  if (schema != null) record.dataschema = schema
  return record
}

/** Lengths first: no two events have the same input. Bytes go in as they are, after the text. */
export function checksum(sequence: number, appendedAt: number, fields: readonly unknown[], at: number): number {
  let head = `${sequence} ${appendedAt}`
  let body = ''
  let bytes: Uint8Array | undefined
  for (let index = at; index < at + fieldsPerEvent; index++) {
    const field = fields[index]
    if (typeof field === 'string') {
      head += ` ${field.length}`
      body += field
    } else if (field === null) head += ' -'
    else {
      bytes = field as Uint8Array
      head += ` b${bytes.length}`
    }
  }
  const sum = crc32(`${head}:${body}`)
  return bytes === undefined ? sum : crc32(bytes, sum)
}

/** Throws unless the row is what was written. A row is in the order of `eventColumns`. */
export function checkRow(row: readonly unknown[]): void {
  if (checksum(row[0] as number, row[1] as number, row, 2) !== row[columnsPerEvent - 1])
    throw corruptEvent(row[0] as number)
}

export function corruptEvent(sequence: number): AppError {
  return new AppError(
    'store-corrupt',
    `reading event ${sequence} of the log: its checksum does not match, so it was changed outside of Millrace or damaged on disk. Run \`millrace verify\`, then restore a backup.`,
    { facts: { sequence } },
  )
}
