import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { AppError } from '../../core/errors.ts'
import { failureOf, openingFailure } from './failure.ts'
import { migrations } from './migrations/index.ts'

/** What the workers need to know to open the file; plain values, because it crosses threads. */
export interface DatabaseOptions {
  readonly path: string
  readonly durability: 'disk' | 'process'
  readonly cacheBytes: number
  /** Tests make a disk full with it. */
  readonly maxPages?: number | undefined
}

/** "MLRC": tells our files from others (`file` and forensic tools read it too). */
export const applicationId = 0x4d4c5243
export const schemaVersion = migrations.length

// 3.51.3 has the fix of the WAL-reset race, which could corrupt a database with two connections.
const oldestSqlite = [3, 51, 3] as const

/** One number of one row. */
export function scalar(database: DatabaseSync, sql: string, ...values: (string | number | null)[]): number | undefined {
  const row = database.prepare(sql).get(...values)
  const value = row === undefined ? undefined : Object.values(row)[0]
  return typeof value === 'number' ? value : undefined
}

export function text(database: DatabaseSync, sql: string, ...values: (string | number | null)[]): string | undefined {
  const row = database.prepare(sql).get(...values)
  const value = row === undefined ? undefined : Object.values(row)[0]
  return typeof value === 'string' ? value : undefined
}

/** A statement whose rows come as arrays: no object with a shape per row. */
export function prepareRows(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql)
  statement.setReturnArrays(true)
  return statement
}

function openFile(path: string, options: { readonly timeout: number; readonly readOnly?: boolean }): DatabaseSync {
  try {
    return new DatabaseSync(path, { ...options, defensive: true })
  } catch (error) {
    throw openingFailure(error, path)
  }
}

/** Opens the file for writing: checks that it is ours, brings the schema up to date, sets and reads back durability. */
export function openForWriting(options: DatabaseOptions): DatabaseSync {
  const { path } = options
  const database = openFile(path, { timeout: 5000 })
  try {
    // First of all: what is not ours is not touched by a single pragma that writes.
    const version = checkOurs(database, path)
    requireSqlite(database)
    database.exec('PRAGMA trusted_schema = OFF')
    // 8 KiB measured 10 % faster than 4 KiB for appends of 220 bytes; it only counts for a new file.
    if (version === 0) database.exec('PRAGMA page_size = 8192')
    if (text(database, 'PRAGMA journal_mode = WAL') !== 'wal') {
      throw new AppError(
        'store-unopenable',
        `opening ${path}: the file system does not allow WAL mode. Put the store on a local disk.`,
      )
    }
    setDurability(database, options)
    tune(database, options)
    migrate(database, version)
    return database
  } catch (error) {
    database.close()
    throw failureOf(error, `opening ${path}`)
  }
}

/** Opens the file for reading beside the writer. */
export function openForReading(options: DatabaseOptions): DatabaseSync {
  const database = openFile(options.path, { readOnly: true, timeout: 5000 })
  try {
    const version = checkOurs(database, options.path)
    requireSqlite(database)
    database.exec('PRAGMA trusted_schema = OFF')
    if (version === 0) {
      throw new AppError(
        'store-foreign',
        `opening ${options.path} for reading: the file is empty. Start the pipeline once to make the store.`,
      )
    }
    database.exec(`PRAGMA cache_size = -${Math.max(1024, Math.floor(options.cacheBytes / 2048))}`)
    return database
  } catch (error) {
    database.close()
    throw failureOf(error, `opening ${options.path} for reading`)
  }
}

export function setDurability(database: DatabaseSync, { durability, path }: DatabaseOptions): void {
  const wanted = durability === 'disk' ? 2 : 1
  database.exec(`PRAGMA synchronous = ${wanted}; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON`)
  if (scalar(database, 'PRAGMA synchronous') !== wanted) {
    throw new AppError(
      'store-unopenable',
      `opening ${path}: SQLite did not take synchronous=${wanted}, so durability "${durability}" cannot be promised.`,
    )
  }
}

function tune(database: DatabaseSync, { cacheBytes, maxPages }: DatabaseOptions): void {
  // Checkpoints are the writer's own decision (checkpoint.ts): never inside a commit that somebody waits for.
  database.exec(`PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY`)
  database.exec(`PRAGMA cache_size = -${Math.max(1024, Math.floor(cacheBytes / 2048))}`)
  if (maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${maxPages}`)
}

function requireSqlite(database: DatabaseSync): void {
  const version = text(database, 'SELECT sqlite_version()') ?? '0'
  if (!isOldSqlite(version)) return
  throw new AppError(
    'store-unopenable',
    `SQLite ${version} is too old, ${oldestSqlite.join('.')} or newer is needed. Use a newer Node.js.`,
  )
}

/** True for a version that is not safe to use. */
export function isOldSqlite(version: string): boolean {
  const parts = version.split('.').map(Number)
  const at = oldestSqlite.findIndex((least, index) => (parts[index] ?? 0) !== least)
  return at !== -1 && (parts[at] ?? 0) < oldestSqlite[at]!
}

/** The schema version; 0 for an empty file. Reads the header and the schema only, so it is fast on any size. */
function checkOurs(database: DatabaseSync, path: string): number {
  let id: number | undefined
  try {
    id = scalar(database, 'PRAGMA application_id')
    const version = scalar(database, 'PRAGMA user_version') ?? 0
    const tables = scalar(database, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'") ?? 0
    if (id === 0 && version === 0 && tables === 0) return 0
    if (id === applicationId) {
      if (version > schemaVersion) {
        throw new AppError(
          'store-newer',
          `opening ${path}: it was written by a newer version of Millrace (schema ${version}, this one knows ${schemaVersion}). Use that version; the file was not changed.`,
        )
      }
      if (version === schemaVersion) checkFingerprint(database, path)
      return version
    }
  } catch (error) {
    throw openingFailure(error, path)
  }
  throw new AppError(
    'store-foreign',
    `opening ${path}: it is a SQLite database of another application. Choose another path; the file was not changed.`,
  )
}

/** Triggers, views and tables that we did not make could change what our statements mean. */
function checkFingerprint(database: DatabaseSync, path: string): void {
  const expected = new DatabaseSync(':memory:')
  try {
    for (const step of migrations) expected.exec(step)
    if (fingerprint(expected) !== fingerprint(database)) {
      throw new AppError(
        'store-foreign',
        `opening ${path}: its tables are not those of a Millrace store of schema ${schemaVersion}. Restore a backup or choose another path; the file was not changed.`,
      )
    }
  } finally {
    expected.close()
  }
}

function fingerprint(database: DatabaseSync): string {
  const rows = database
    .prepare("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    .all()
  return JSON.stringify(rows)
}

/** Each step is one transaction with its version, so that a kill leaves the old or the new schema. */
function migrate(database: DatabaseSync, from: number): void {
  for (let version = from; version < schemaVersion; version++) {
    database.exec('BEGIN IMMEDIATE')
    try {
      database.exec(migrations[version] ?? '')
      database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${version + 1}`)
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }
}
