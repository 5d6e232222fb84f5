import { randomUUID } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { isTailMissing, requireTail } from './anchor.ts'
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

export function openWriterState({ database: options, dedup: dedupOptions, acceptLoss }: WriterData): WriterState {
  const database = openForWriting(options)
  try {
    return inTransaction(database, `opening ${options.path}`, () => {
      const generation = (scalar(database, "SELECT value FROM meta WHERE key = 'generation'") ?? 0) + 1
      const setMeta = database.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
      setMeta.run('generation', generation)
      const pruned = scalar(database, "SELECT value FROM meta WHERE key = 'pruned'") ?? 0
      const head = Math.max(scalar(database, 'SELECT max(sequence) FROM events') ?? 0, pruned)
      let incarnation = text(database, "SELECT value FROM meta WHERE key = 'incarnation'")
      // Absent in a new store and in a copy. With a lost tail, its sequences will be given out again: they must mean nothing.
      if (incarnation === undefined || (acceptLoss && isTailMissing(options.path, { incarnation, head }))) {
        incarnation = randomUUID()
        setMeta.run('incarnation', incarnation)
      }
      requireTail(options.path, { incarnation, head })
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
