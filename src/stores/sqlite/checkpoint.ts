import type { DatabaseSync } from 'node:sqlite'
import { prepareRows } from './database.ts'

/** 32 MiB of 8 KiB pages. Smaller means the same tables' pages are written to the file more often, larger means slower opening. */
const pagesBeforeCheckpoint = 4096

/**
 * Moves the write-ahead log into the file, after a commit was answered and never inside one. PASSIVE waits for nobody; readers
 * close their snapshots after each slice, so the log starts again from its beginning soon.
 */
export function createCheckpoint(database: DatabaseSync) {
  // A checkpoint says how long the log is; between two of them it is counted from what commits changed.
  const passive = prepareRows(database, 'PRAGMA wal_checkpoint(PASSIVE)')
  let estimate = 0
  return {
    grew(pages: number): void {
      estimate += pages
    },
    isDue: (): boolean => estimate >= pagesBeforeCheckpoint,
    run(): void {
      const [busy, log, done] = passive.get() as unknown as [number, number, number]
      estimate = busy === 0 && log === done ? 0 : Math.max(0, log - done)
    },
  }
}
