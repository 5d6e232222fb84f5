import { openForReading, prepareRows, scalar, text } from './database.ts'
import { createEventReads } from './event-reads.ts'
import { createLedgerReads } from './ledger-reads.ts'
import type { WriterData, WriterOpened } from './protocol.ts'

/** What the reader thread does: every operation is one short snapshot, so that checkpoints can go on. */
export function createReader({ database: options }: WriterData) {
  const database = openForReading(options)
  const cursor = prepareRows(database, 'SELECT value FROM cursors WHERE source = ?')
  const state = prepareRows(database, 'SELECT value FROM state WHERE source = ? AND key = ?')
  // Prefixes are compared, not matched: no LIKE, so nothing in them needs an escape.
  const list = prepareRows(
    database,
    'SELECT key, value FROM state WHERE source = ? AND substr(key, 1, ?) = ? ORDER BY key',
  )
  const first = <T>(row: unknown): T | undefined => (row as [T] | undefined)?.[0]

  return {
    ...createEventReads(database),
    ...createLedgerReads(database),
    /** For a store that is opened beside its owner. */
    position(): WriterOpened {
      const pruned = scalar(database, "SELECT value FROM meta WHERE key = 'pruned'") ?? 0
      const head = Math.max(scalar(database, 'SELECT max(sequence) FROM events') ?? 0, pruned)
      const incarnation = text(database, "SELECT value FROM meta WHERE key = 'incarnation'") ?? ''
      return { incarnation, head, oldest: pruned + 1 }
    },
    cursor: (source: string): string | undefined => first<string>(cursor.get(source)),
    getState: (source: string, key: string): string | undefined => first<string>(state.get(source, key)),
    listState: (source: string, prefix: string): unknown[] => list.all(source, [...prefix].length, prefix),
    size() {
      const pages = (scalar(database, 'PRAGMA page_count') ?? 0) - (scalar(database, 'PRAGMA freelist_count') ?? 0)
      return {
        bytes: pages * (scalar(database, 'PRAGMA page_size') ?? 0),
        oldestAt: scalar(database, 'SELECT appended_at FROM events ORDER BY sequence LIMIT 1'),
      }
    },
    close: (): void => database.close(),
  }
}
export type ReaderOperations = ReturnType<typeof createReader>
