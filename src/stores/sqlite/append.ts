import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { isSameContent } from '../../core/content.ts'
import type { Sequence } from '../../core/event.ts'
import { prepareRows } from './database.ts'
import type { Dedup } from './dedup/dedup.ts'
import type { Hash128 } from './dedup/sip-hash.ts'
import { conflict, duplicate } from './protocol.ts'
import {
  checkRow,
  checksum,
  columnsPerEvent,
  eventColumns,
  type Field,
  fieldsPerEvent,
  unpackRecord,
} from './record.ts'

/** Rows per statement, largest first: 64 at a time measured a quarter faster than one. */
const statementRows = [64, 8, 1] as const

/** Puts events at the end of the log within a transaction that the caller owns. */
export interface Appender {
  /** Looks at all events of a group, before they are appended one by one. */
  expect(fields: readonly Field[]): void
  /** Deduplicates and appends one of the events that are expected; answers its sequence, or 0 and fills `found`. */
  append(fields: readonly Field[], at: number, appendedAt: number): Sequence
  /** True when an event with this source and id is in the log, or was appended before in this transaction. */
  has(fields: readonly Field[], at: number): boolean
  /** Writes what is buffered. Called before COMMIT. */
  flush(): void
  head(): Sequence
  /** What the last `append` that answered 0 found. */
  readonly found: { status: typeof duplicate | typeof conflict; sequence: Sequence }
}

export function createAppender(database: DatabaseSync, dedup: Dedup, startHead: Sequence): Appender {
  const inserts = statementRows.map((rows) => prepareInsert(database, rows))
  const readRow = prepareRows(database, `SELECT ${eventColumns} FROM events WHERE sequence = ?`)
  const addMark = database.prepare('INSERT INTO marks (sequence, at) VALUES (?, ?)')
  const lastMark = database.prepare('SELECT at FROM marks ORDER BY sequence DESC LIMIT 1').get() as
    | { at: number }
    | undefined
  let markedAt = lastMark?.at ?? Number.NEGATIVE_INFINITY
  let head = startHead
  // Filled from the front and used again: an array that grows anew for every statement cost a tenth of the rate.
  const buffer = new Array<Field | number>(statementRows[0] * columnsPerEvent).fill(null)
  let filled = 0
  const found: Appender['found'] = { status: duplicate, sequence: 0 }

  const flush = (): void => {
    const rows = filled / columnsPerEvent
    let row = 0
    for (const [index, size] of statementRows.entries()) {
      for (; row + size <= rows; row += size) {
        inserts[index]?.run(...buffer.slice(row * columnsPerEvent, (row + size) * columnsPerEvent))
      }
    }
    filled = 0
  }

  // Time can only be looked up on kept rows; a mark a second lets it be looked up for ever, also after a jump of the clock.
  const markTime = (sequence: Sequence, at: number): void => {
    if (at >= markedAt && at < markedAt + 1000) return
    addMark.run(sequence, at)
    markedAt = at
  }

  /** True when another pair has the same hash; then the key is new after all. */
  const isOther = (fields: readonly Field[], at: number, sequence: Sequence): boolean => {
    if (filled > 0 && sequence > head - filled / columnsPerEvent) flush()
    const row = readRow.get(sequence) as unknown as unknown[] | undefined
    found.sequence = sequence
    found.status = duplicate
    if (row === undefined) return false
    checkRow(row)
    if (row[2] !== fields[at] || row[3] !== fields[at + 1]) return true
    const stored = unpackRecord(row, 2, sequence, 0)
    if (!isSameContent(stored, unpackRecord(fields, at, sequence, 0))) found.status = conflict
    return false
  }

  const isKnown = (hash: Hash128, fields: readonly Field[], at: number, index?: number): boolean => {
    const known = dedup.find(hash, index)
    return known !== 0 && !isOther(fields, at, known)
  }

  return {
    found,
    head: () => head,
    flush,
    has: (fields, at) => isKnown(dedup.hash(fields[at] as string, fields[at + 1] as string), fields, at),
    expect: (fields) => dedup.screen(fields, fieldsPerEvent),
    append(fields, at, appendedAt) {
      const index = at / fieldsPerEvent
      const hash = dedup.screened(index)
      if (isKnown(hash, fields, at, index)) return 0
      const sequence = head + 1
      dedup.add(hash, sequence)
      markTime(sequence, appendedAt)
      head = sequence
      buffer[filled++] = sequence
      buffer[filled++] = appendedAt
      for (let index = at; index < at + fieldsPerEvent; index++) buffer[filled++] = fields[index] as Field
      buffer[filled++] = checksum(sequence, appendedAt, fields, at)
      if (filled === buffer.length) {
        inserts[0]?.run(...buffer)
        filled = 0
      }
      return sequence
    },
  }
}

function prepareInsert(database: DatabaseSync, rows: number): StatementSync {
  const row = `(${Array(columnsPerEvent).fill('?').join(', ')})`
  return database.prepare(`INSERT INTO events (${eventColumns}) VALUES ${Array(rows).fill(row).join(', ')}`)
}
