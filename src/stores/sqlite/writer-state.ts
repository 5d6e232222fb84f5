import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { type Appender, createAppender } from './append.ts'
import { openForWriting, scalar, text } from './database.ts'
import { type Dedup, openDedup } from './dedup/dedup.ts'
import { createLedgerWrites, type LedgerWrites } from './ledger-writes.ts'
import type { WriterData } from './protocol.ts'
import { inTransaction } from './transaction.ts'

/** The writer's connection and all it remembers. After a failed write it is closed and made again from the disk. */
export interface WriterState {
  readonly database: DatabaseSync
  readonly dedup: Dedup
  readonly appender: Appender
  readonly ledgers: LedgerWrites
  readonly incarnation: string
  oldest: Sequence
}

export function openWriterState({ database: options, dedup: dedupOptions }: WriterData): WriterState {
  const database = openForWriting(options)
  try {
    return inTransaction(database, `opening ${options.path}`, () => {
      const generation = (scalar(database, "SELECT value FROM meta WHERE key = 'generation'") ?? 0) + 1
      const setMeta = database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
      setMeta.run('generation', generation)
      let incarnation = text(database, "SELECT value FROM meta WHERE key = 'incarnation'")
      if (incarnation === undefined) {
        // A new store, or a copy: `backup` removes the row.
        incarnation = randomUUID()
        setMeta.run('incarnation', incarnation)
      }
      const pruned = scalar(database, "SELECT value FROM meta WHERE key = 'pruned'") ?? 0
      const head = Math.max(scalar(database, 'SELECT max(sequence) FROM events') ?? 0, pruned)
      const dedup = openDedup(database, dedupOptions)
      return {
        database,
        dedup,
        appender: createAppender(database, dedup, head),
        ledgers: createLedgerWrites(database, generation),
        incarnation,
        oldest: pruned + 1,
      }
    })
  } catch (error) {
    database.close()
    throw error
  }
}
