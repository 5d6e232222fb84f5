import type { DatabaseSync } from 'node:sqlite'
import { failureOf, indeterminate, isFull } from './failure.ts'

/**
 * Runs work in one transaction. Whatever goes wrong before COMMIT is provably undone and thrown as what it was; a COMMIT that
 * fails is thrown as `store-indeterminate`, except a full disk: SQLite says so only when a write of a frame had no room, the
 * last of them makes the commit, and a sync without room is an I/O error to it.
 */
export function inTransaction<T>(database: DatabaseSync, doing: string, work: () => T): T {
  let result: T
  try {
    database.exec('BEGIN IMMEDIATE')
    result = work()
  } catch (error) {
    rollBack(database)
    throw failureOf(error, doing)
  }
  try {
    database.exec('COMMIT')
  } catch (error) {
    const isUndone = rollBack(database)
    throw isUndone && isFull(error) ? failureOf(error, doing) : indeterminate(error)
  }
  return result
}

/** SQLite has rolled back by itself after some errors; then there is nothing to do. False when it cannot be undone. */
function rollBack(database: DatabaseSync): boolean {
  try {
    if (database.isTransaction) database.exec('ROLLBACK')
    return true
  } catch {
    return false
  }
}
