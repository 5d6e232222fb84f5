import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { compilePatterns } from '../../core/match.ts'
import { prepareRows } from './database.ts'
import { sqliteCode } from './failure.ts'
import type { WirePage, WireQuery, WireStream } from './protocol.ts'
import { checkRow, columnsPerEvent, corruptEvent, eventColumns } from './record.ts'
import { createVersionAt } from './stream-index.ts'

/** A slice of reading ends at this size, so that one answer never blocks the main thread for long. */
const bytesPerSlice = 1024 * 1024
/** Rows that one page of a search looks at: about 50 ms. */
const rowsPerScan = 20_000

/** The reader's half of the log: rows as flat values, each checked against its checksum. */
export function createEventReads(database: DatabaseSync) {
  const after = prepareRows(
    database,
    `SELECT ${eventColumns} FROM events WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
  )
  const before = prepareRows(
    database,
    `SELECT ${eventColumns} FROM events WHERE sequence < ? AND sequence <= ? ORDER BY sequence DESC LIMIT ?`,
  )
  const one = prepareRows(database, `SELECT ${eventColumns} FROM events WHERE sequence = ?`)
  const timeOf = prepareRows(database, 'SELECT appended_at FROM events WHERE sequence = ?')
  const streamOf = prepareRows(
    database,
    'SELECT version, sequence FROM streams WHERE stream = ? AND version > ? AND sequence BETWEEN ? AND ? ORDER BY version LIMIT ?',
  )
  const versionAt = createVersionAt(database)

  /** Events with these sequences, as many as fit a slice; what is damaged ends the slice, or throws when it is the first. */
  const many = (sequences: readonly Sequence[]): unknown[] => {
    const values: unknown[] = []
    for (const sequence of sequences) {
      const row = one.get(sequence) as unknown as unknown[] | undefined
      if (row === undefined) continue
      checkRow(row)
      push(values, row)
    }
    return values
  }

  return {
    read(from: Sequence, head: Sequence, limit: number): unknown[] {
      const values: unknown[] = []
      let bytes = 0
      let last = from
      try {
        for (const item of after.iterate(from, head, limit)) {
          const row = item as unknown as unknown[]
          checkRow(row)
          bytes += push(values, row)
          last = row[0] as Sequence
          if (bytes >= bytesPerSlice) break
        }
      } catch (error) {
        // What was read before the damage is good and is served; the next read begins with the damage and says so.
        if (values.length > 0) return values
        throw sqliteCode(error) === undefined ? error : corruptEvent(last + 1)
      }
      return values
    },
    many,
    stream(
      stream: string,
      afterVersion: number,
      [oldest, head]: readonly [Sequence, Sequence],
      limit: number,
    ): WireStream {
      const versions: number[] = []
      const values: unknown[] = []
      let bytes = 0
      for (const item of streamOf.iterate(stream, afterVersion, oldest, head, limit)) {
        const [version, sequence] = item as unknown as [number, Sequence]
        const row = one.get(sequence) as unknown as unknown[] | undefined
        // Retention went on since the caller looked.
        if (row === undefined) continue
        checkRow(row)
        bytes += push(values, row)
        versions.push(version)
        if (bytes >= bytesPerSlice) break
      }
      return { version: versionAt(stream, head) ?? 0, versions, values }
    },
    versionAt,
    /** Bisection: sequences are contiguous and append times ascend, except after the clock was set back. */
    sequenceAt(timeMs: number, oldest: Sequence, head: Sequence): Sequence {
      let low = oldest
      let high = head + 1
      while (low < high) {
        const middle = Math.floor((low + high) / 2)
        const row = timeOf.get(middle) as unknown as [number] | undefined
        if (row === undefined || row[0] < timeMs) low = middle + 1
        else high = middle
      }
      return low
    },
    query(query: WireQuery): WirePage {
      const isWanted = filterOf(query)
      const isDescending = query.before !== undefined
      const rows = isDescending
        ? before.iterate(query.before as number, query.head, rowsPerScan)
        : after.iterate(query.after, query.head, rowsPerScan)
      const values: unknown[] = []
      let bytes = 0
      let seen = 0
      let last: Sequence | undefined
      let found = 0
      for (const item of rows) {
        const row = item as unknown as unknown[]
        if (isDescending && (row[0] as number) <= query.after) return { values, next: undefined }
        last = row[0] as Sequence
        seen++
        if (isWanted(row)) {
          checkRow(row)
          bytes += push(values, row)
          if (++found >= query.limit || bytes >= bytesPerSlice) return { values, next: last }
        }
      }
      return { values, next: seen === rowsPerScan ? last : undefined }
    },
  }
}

/** Appends a row without its checksum; answers its size, roughly. */
function push(values: unknown[], row: readonly unknown[]): number {
  let size = 64
  for (let index = 0; index < columnsPerEvent - 1; index++) {
    const value = row[index]
    values.push(value)
    if (typeof value === 'string' || value instanceof Uint8Array) size += value.length
  }
  return size
}

function filterOf(query: WireQuery): (row: readonly unknown[]) => boolean {
  const isType = query.types === undefined ? () => true : compilePatterns(query.types)
  const { source, id, subject, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = query
  return (row) =>
    (source === undefined || row[2] === source) &&
    (id === undefined || row[3] === id) &&
    (subject === undefined || row[5] === subject) &&
    (row[1] as number) >= sinceMs &&
    (row[1] as number) < untilMs &&
    isType(row[4] as string)
}
