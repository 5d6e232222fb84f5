import { AppError, type ErrorCode } from '../../core/errors.ts'

/** An error as it crosses from a worker thread: an AppError's code survives, its class does not. */
export interface WireFailure {
  readonly code: ErrorCode
  readonly message: string
  readonly facts: AppError['facts']
}

// Primary result codes of SQLite (the low byte of the extended ones).
const primary = { busy: 5, readonly: 8, ioerr: 10, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 } as const

/** The primary result code of an error of `node:sqlite`; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

/** What a failure of SQLite means, when nothing of the write can be there. */
export function failureOf(error: unknown, doing: string): AppError {
  if (error instanceof AppError) return error
  const because = error instanceof Error ? error.message : String(error)
  const make = (code: ErrorCode, advice: string): AppError =>
    new AppError(code, `${doing}: ${because}. ${advice}`, { cause: error })
  switch (sqliteCode(error)) {
    case primary.full:
      return make('store-full', 'Nothing of it was stored. Free space; the next write then works.')
    case primary.readonly:
      return make('store-readonly', 'Nothing of it was stored. Make the file and its folder writable.')
    case primary.busy:
      return make('store-locked', 'Another connection holds the file. End the other process and try again.')
    case primary.corrupt:
    case primary.notADatabase:
      return make('store-corrupt', 'Run `millrace verify`, then restore a backup.')
    case primary.ioerr:
    case primary.cantOpen:
      return make('store-indeterminate', 'Check the disk; sending the same events again is safe.')
    default:
      return fileFailure(error, make) ?? make('internal', 'This is a bug in the SQLite store.')
  }
}

/** What the file system said of a file beside the store: the lock, the anchor, a copy. */
function fileFailure(error: unknown, make: (code: ErrorCode, advice: string) => AppError): AppError | undefined {
  switch ((error as NodeJS.ErrnoException | null)?.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return make('store-readonly', 'Make the folder, and the file if it is there, writable for this user.')
    case 'ENOSPC':
    case 'EDQUOT':
      return make('store-full', 'Free space and try again.')
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EISDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return make('store-unopenable', 'Give the path of a file in a folder that is there.')
    case 'EMFILE':
    case 'ENFILE':
      return make('store-unopenable', 'Allow the process more open files.')
    default:
      return undefined
  }
}

/** What a failure means while the file of a store is opened: readers of a log in WAL mode need to write beside it, too. */
export function openingFailure(error: unknown, path: string): AppError {
  if (error instanceof AppError) return error
  const code = sqliteCode(error)
  const because = error instanceof Error ? error.message : String(error)
  if (code === primary.notADatabase || code === primary.corrupt) {
    return new AppError(
      'store-foreign',
      `opening ${path}: it is not a SQLite database that can be read. Choose another path; the file was not changed.`,
      { cause: error },
    )
  }
  if (code === primary.readonly || code === primary.cantOpen) {
    return new AppError(
      'store-readonly',
      `opening ${path}: ${because}. Make the file and its folder writable for this user, which reading needs, too; or read a copy elsewhere.`,
      { cause: error },
    )
  }
  return failureOf(error, `opening ${path}`)
}

/** A failed COMMIT of which it is not known what reached the disk. */
export function indeterminate(error: unknown): AppError {
  const because = error instanceof Error ? error.message : String(error)
  const act = isFull(error) ? 'Free space, and send the same events again' : 'Send the same events again'
  return new AppError(
    'store-indeterminate',
    `committing to the SQLite store failed, and the write may or may not be there: ${because}. ${act}: what is there is answered as a duplicate.`,
    { cause: error },
  )
}

export function isFull(error: unknown): boolean {
  return sqliteCode(error) === primary.full
}

export function toWire(error: unknown): WireFailure {
  const known = failureOf(error, 'using the SQLite store')
  return { code: known.code, message: known.message, facts: known.facts }
}

export function fromWire(failure: WireFailure): AppError {
  return new AppError(failure.code, failure.message, { facts: failure.facts })
}
