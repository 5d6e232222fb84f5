import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import type { HistoryRun } from '../../core/ledger-state.ts'
import { prepareRows, scalar } from './database.ts'
import { pruneStreams } from './stream-index.ts'

// So many rows at a time take a few milliseconds; commits go in between.
const eventsPerSlice = 2000
const rowsPerSlice = 500

/** Removes the oldest events, at most a slice; answers the oldest sequence still kept. The caller owns the transaction. */
export function pruneEvents(database: DatabaseSync, oldest: Sequence, through: Sequence): Sequence {
  const last = Math.min(through, oldest + eventsPerSlice - 1)
  if (last < oldest) return oldest
  database.prepare('DELETE FROM events WHERE sequence <= ?').run(last)
  pruneStreams(database, oldest, last)
  // The sequence counter outlives the rows: an empty log still knows where it was.
  database.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('pruned', ?)").run(last)
  return last + 1
}

/** Removes a slice of history settled before a time and folds its counts; answers how many rows went. */
export function pruneHistory(database: DatabaseSync, beforeMs: number): number {
  const rows = prepareRows(
    database,
    'SELECT subscription, last, n, body FROM history WHERE at < ? ORDER BY at LIMIT ?',
  ).all(beforeMs, rowsPerSlice)
  const remove = database.prepare('DELETE FROM history WHERE subscription = ? AND last = ? AND n = ?')
  const add = database.prepare(
    'INSERT INTO history_base (subscription, state, count) VALUES (?, ?, ?) ON CONFLICT (subscription, state) DO UPDATE SET count = count + excluded.count',
  )
  for (const row of rows as unknown as [string, number, number, string][]) {
    const [subscription, last, n, body] = row
    const { runs } = JSON.parse(body) as { runs: readonly HistoryRun[] }
    for (const run of runs) add.run(subscription, run.state, run.count)
    remove.run(subscription, last, n)
  }
  return rows.length
}

/**
 * The last sequence of which it is known that it and all before it were appended before a time. From the kept rows where they
 * are; else from the marks, one a second, and then it may be a second short.
 */
export function lastBefore(database: DatabaseSync, head: Sequence, oldest: Sequence, timeMs: number): Sequence {
  const later = scalar(database, 'SELECT sequence FROM marks WHERE at >= ? ORDER BY sequence LIMIT 1', timeMs)
  const from = scalar(
    database,
    'SELECT sequence FROM marks WHERE at < ? AND sequence < ? ORDER BY sequence DESC LIMIT 1',
    timeMs,
    later ?? head + 1,
  )
  if (from === undefined) return 0
  const appendedAt = prepareRows(database, 'SELECT appended_at FROM events WHERE sequence = ?')
  let low = from
  let high = later ?? head + 1
  if (high - 1 < oldest) {
    const lastMarkAt = scalar(database, 'SELECT at FROM marks WHERE sequence = ?', from) ?? 0
    return lastMarkAt + 1000 <= timeMs ? high - 1 : from - 1
  }
  low = Math.max(low, oldest)
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const at = (appendedAt.get(middle) as unknown as [number] | undefined)?.[0]
    if (at === undefined || at < timeMs) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Marks that only say when forgotten and removed events were appended are of no use. */
export function pruneMarks(database: DatabaseSync, through: Sequence): void {
  database
    .prepare(
      'DELETE FROM marks WHERE sequence IN (SELECT sequence FROM marks WHERE sequence < (SELECT max(sequence) FROM marks WHERE sequence <= ?) LIMIT ?)',
    )
    .run(through, 10_000)
}

const subscriptionTables = [
  ['deliveries', 'sequence'],
  ['dead', 'sequence'],
  ['held', 'key'],
  ['batches', 'batch'],
  ['kept', '(stage, key)'],
  ['history', '(last, n)'],
  ['history_base', 'state'],
  ['history_span', 'subscription'],
] as const

/** Removes a slice of a subscription's rows, its ledger last; true when nothing is left. */
export function dropSlice(database: DatabaseSync, subscription: string, place: string): boolean {
  if (!dropRows(database, place)) return false
  database.prepare('DELETE FROM ledgers WHERE subscription = ?').run(subscription)
  return true
}

/** Removes a slice of the rows of a place; true when nothing is left. */
export function dropRows(database: DatabaseSync, place: string): boolean {
  for (const [table, key] of subscriptionTables) {
    const columns = key.replaceAll(/[()]/g, '')
    const { changes } = database
      .prepare(
        `DELETE FROM ${table} WHERE subscription = ? AND ${key} IN (SELECT ${columns} FROM ${table} WHERE subscription = ? LIMIT ?)`,
      )
      .run(place, place, rowsPerSlice)
    if (Number(changes) > 0) return false
  }
  return true
}
