import type { DatabaseSync } from 'node:sqlite'
import { failureOf, indeterminate, isFull } from './failure.ts'

/**
 * Runs work in one transaction. Whatever goes wrong before COMMIT is provably undone and thrown as what it was; a COMMIT that
 * fails is thrown as `store-indeterminate`, except a full disk whose rollback worked: then no commit frame was written.
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
    const isUndone = database.isTransaction && rollBack(database)
    throw isUndone && isFull(error) ? failureOf(error, doing) : indeterminate(error)
  }
  return result
}

/** SQLite has rolled back by itself after some errors; then there is nothing to do. */
function rollBack(database: DatabaseSync): boolean {
  try {
    if (database.isTransaction) database.exec('ROLLBACK')
    return true
  } catch {
    return false
  }
}
