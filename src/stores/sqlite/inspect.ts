import { rmSync } from 'node:fs'
import { backup, DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { openForReading, prepareRows, scalar } from './database.ts'
import { findInRun, keysPerPage, loadRuns, prepareRuns } from './dedup/run.ts'
import { createPairHash } from './dedup/sip-hash.ts'
import { failureOf } from './failure.ts'
import { inspectStreams, type StreamPlace } from './inspect-streams.ts'
import { createPrivate } from './lock.ts'
import type { WriterData } from './protocol.ts'
import { checksum, columnsPerEvent, eventColumns } from './record.ts'

const rowsPerSlice = 20_000
const mostProblems = 20

export interface Slice {
  readonly events: number
  /** Where to go on; 0 at the end. */
  readonly next: Sequence
  readonly problems: readonly string[]
}

/** Backup and verification. Each operation but `structure` and `backup` is one short snapshot. */
export function createInspector({ database: options }: WriterData) {
  const database = openForReading(options)
  const rows = prepareRows(
    database,
    `SELECT ${eventColumns} FROM events WHERE sequence >= ? AND sequence <= ? ORDER BY sequence LIMIT ?`,
  )

  return {
    /** What SQLite says of its own pages and indexes. */
    structure(): string[] {
      const found = prepareRows(database, `PRAGMA integrity_check(${mostProblems})`).all() as unknown as [string][]
      return [...found.map(([line]) => line).filter((line) => line !== 'ok'), ...brokenRows(database)]
    },
    /** Checksums and contiguous sequences, a slice at a time. */
    events(from: Sequence, head: Sequence): Slice {
      const problems: string[] = []
      let expected = from
      let count = 0
      for (const item of rows.iterate(from, head, rowsPerSlice)) {
        const row = item as unknown as unknown[]
        const sequence = row[0] as Sequence
        if (sequence !== expected) problems.push(gap(expected, sequence - 1))
        if (checksum(sequence, row[1] as number, row, 2) !== row[columnsPerEvent - 1]) {
          problems.push(`event ${sequence}: its checksum does not match`)
        }
        expected = sequence + 1
        count++
        if (problems.length >= mostProblems) return { events: count, next: 0, problems }
      }
      if (count < rowsPerSlice && expected <= head) problems.push(gap(expected, head))
      return { events: count, next: count < rowsPerSlice ? 0 : expected, problems }
    },
    /** The index of streams, a slice at a time. */
    streams: (after: StreamPlace | undefined) => inspectStreams(database, after),
    /** Sorted runs hold as many keys as they say; the identity of every thousandth event that should be in one is. */
    identities(): string[] {
      database.exec('BEGIN')
      try {
        return identityProblems(database)
      } finally {
        database.exec('ROLLBACK')
      }
    },
    /** One snapshot for all of it: SQLite begins a backup again whenever the log grew between two steps. */
    async backup(path: string): Promise<number> {
      try {
        createPrivate(path)
      } catch (error) {
        throw failureOf(error, `backing up to ${path}`)
      }
      try {
        database.exec('BEGIN')
        database.prepare('SELECT count(*) FROM sqlite_schema').get()
        const pages = await backup(database, path, { rate: 4096 })
        markAsCopy(path)
        return pages
      } catch (error) {
        rmSync(path, { force: true })
        throw failureOf(error, `backing up to ${path}; the incomplete file was removed`)
      } finally {
        if (database.isTransaction) database.exec('ROLLBACK')
      }
    },
    close: (): void => database.close(),
  }
}
export type InspectorOperations = ReturnType<typeof createInspector>

const gap = (from: Sequence, to: Sequence): string =>
  from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`

/** Rows of subscriptions whose text is no JSON any more. */
function brokenRows(database: DatabaseSync): string[] {
  const look = (sql: string) => prepareRows(database, `${sql} LIMIT ${mostProblems}`).all() as unknown as unknown[][]
  const ledgers = look('SELECT subscription FROM ledgers WHERE NOT json_valid(body)')
  return [
    ...ledgers.map(([subscription]) => `the ledger of ${subscription} is damaged`),
    ...(['deliveries', 'dead'] as const).flatMap((table) =>
      look(`SELECT subscription, sequence FROM ${table} WHERE NOT json_valid(body)`).map(
        ([subscription, sequence]) => `what ${subscription} remembers of event ${sequence} is damaged (${table})`,
      ),
    ),
  ]
}

function identityProblems(database: DatabaseSync): string[] {
  const problems: string[] = []
  const statements = prepareRuns(database)
  const runs = loadRuns(database)
  for (const run of runs) {
    const held =
      scalar(
        database,
        'SELECT sum(length(data)) / 24 FROM dedup_pages WHERE page >= ? AND page < ?',
        run.run * 2 ** 24,
        (run.run + 1) * 2 ** 24,
      ) ?? 0
    if (held !== run.keys || Math.ceil(run.keys / keysPerPage) !== run.pages)
      problems.push(`dedup run ${run.run} holds ${held} identities, ${run.keys} were written`)
  }
  const row = database.prepare("SELECT value FROM meta WHERE key = 'dedup-key'").get() as
    | { value: Uint8Array }
    | undefined
  if (row === undefined) return [...problems, 'the key of the dedup hashes is missing']
  const hash = createPairHash(row.value)
  const words = new Uint32Array(4)
  const forgotten = scalar(database, "SELECT value FROM meta WHERE key = 'forgotten'") ?? 0
  const sealed = runs.reduce((last, run) => Math.max(last, run.last), 0)
  const sample = prepareRows(database, 'SELECT source, id FROM events WHERE sequence = ?')
  const oldest = scalar(database, 'SELECT min(sequence) FROM events') ?? 1
  for (
    let sequence = Math.max(oldest, forgotten + 1);
    sequence <= sealed && problems.length < mostProblems;
    sequence += 1000
  ) {
    const event = sample.get(sequence) as unknown as [string, string] | undefined
    if (event === undefined) continue
    hash(event[0], event[1], words)
    if (!runs.some((run) => findInRun(statements, run, words, 0) !== 0))
      problems.push(`event ${sequence}: its identity is not in the dedup runs`)
  }
  return problems
}

/** A copy must not be taken for the original: without its incarnation, opening it mints a new one. */
function markAsCopy(path: string): void {
  const copy = new DatabaseSync(path)
  try {
    copy.exec("DELETE FROM meta WHERE key = 'incarnation'")
    // One file without a companion, so that it can be moved.
    copy.exec('PRAGMA journal_mode = DELETE')
  } finally {
    copy.close()
  }
}
