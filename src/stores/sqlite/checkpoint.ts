import type { DatabaseSync } from 'node:sqlite'
import { prepareRows } from './database.ts'

/** 16 MiB of 8 KiB pages. Smaller means pages are written to the file more often, larger means slower opening. */
export const pagesBeforeCheckpoint = 2048
/** What is left for the writer itself to move: a few milliseconds. */
const pagesForWriter = 256

/**
 * Moves the write-ahead log into the file. The checkpoint thread moves most of it while commits go on; as they add to the log
 * meanwhile, the last pages are moved by the writer between two commits, so that the log can begin again from its start.
 * PASSIVE waits for nobody and blocks nobody.
 */
export function createCheckpoint(database: DatabaseSync) {
  // NOOP only says how long the log is.
  const look = prepareRows(database, 'PRAGMA wal_checkpoint(NOOP)')
  const passive = prepareRows(database, 'PRAGMA wal_checkpoint(PASSIVE)')
  const left = (row: unknown): number => {
    const [, log, done] = row as [number, number, number]
    return Math.max(0, log - done)
  }
  return {
    /** Pages in the log that are not in the file. */
    pending: (): number => left(look.get()),
    /** One pass. */
    run: (): number => left(passive.get()),
    /** Passes until little is left; each one has less to do than the one before. */
    runMost(): void {
      for (let pass = 0; pass < 4; pass++) if (left(passive.get()) < pagesForWriter) return
    },
  }
}
