import { chmodSync, closeSync, existsSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AppError } from '../../core/errors.ts'
import { openingFailure, sqliteCode } from './failure.ts'

/** Makes folder and file for this user only, and answers the one true path: links must not lead to two locks. */
export function prepareFile(path: string): string {
  makeFolder(dirname(path))
  createPrivate(path)
  if (statSync(path).isDirectory()) throw new Error('it is a folder; give the path of a file in it')
  const real = realpathSync(path)
  return join(dirname(real), basename(real))
}

// One by one: where a file system refuses a folder with ENOENT (as /proc does), Node's own recursive way never ends.
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

// An existing file is never opened and closed here: closing any descriptor of it drops the locks that SQLite holds in this process.
/** Makes an empty file for this user only; an existing one is left alone. */
export function createPrivate(path: string): void {
  if (existsSync(path)) return
  try {
    closeSync(openSync(path, 'wx', 0o600))
    chmodSync(path, 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/**
 * Takes the store for this process: an exclusive transaction on a file of its own, held until close or death.
 * Readers of the store itself are not kept out.
 */
export function takeLock(path: string): { release(): void } {
  const lockPath = `${path}.lock`
  const database = openLock(lockPath)
  try {
    // Nothing is ever written, so it needs no journal file.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (sqliteCode(error) !== 5) throw openingFailure(error, lockPath)
    throw new AppError(
      'store-locked',
      `opening ${path}: another process has this store open. Stop that process, use its server, or open the store read-only.`,
      { cause: error },
    )
  }
  return { release: () => database.close() }
}

function openLock(path: string): DatabaseSync {
  try {
    createPrivate(path)
    return new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw openingFailure(error, path)
  }
}
