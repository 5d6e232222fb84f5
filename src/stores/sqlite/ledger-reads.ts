import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { compilePatterns } from '../../core/match.ts'
import type { DeadQuery, HistoryQuery, KeptQuery, RowQuery } from '../../plugin/store.ts'
import { prepareRows, scalar } from './database.ts'
import type { WireLedger } from './protocol.ts'

type Value = string | number

/** Files of earlier versions that are only read: all rows of a ledger are under its name. */
const hasPlaces = (database: DatabaseSync): boolean => (scalar(database, 'PRAGMA user_version') ?? 0) >= 4

/** Every ledger, or one subscription's, with what is counted from its rows. */
export function readLedgers(database: DatabaseSync, subscription?: string): WireLedger[] {
  const place = hasPlaces(database) ? 'ifnull(ledgers.place, ledgers.subscription)' : 'ledgers.subscription'
  const one = subscription === undefined ? '' : 'WHERE ledgers.subscription = :subscription'
  const only = subscription === undefined ? '' : `WHERE subscription = (SELECT ${place} FROM ledgers ${one} LIMIT 1)`
  const statement = database.prepare(
    `WITH open AS (SELECT subscription AS at, count(*) AS rows, min(sequence) AS lowest FROM deliveries ${only} GROUP BY subscription),
            waiting AS (SELECT subscription AS at, sum(count) AS rows, min(lowest) AS lowest FROM held ${only} GROUP BY subscription),
            died AS (SELECT subscription AS at, count(*) AS rows FROM dead ${only} GROUP BY subscription)
       SELECT ledgers.*, ifnull(open.rows, 0) + ifnull(waiting.rows, 0) AS openRows, ifnull(died.rows, 0) AS deadRows,
              min(ifnull(open.lowest, waiting.lowest), ifnull(waiting.lowest, open.lowest)) AS lowestRow
       FROM ledgers LEFT JOIN open ON open.at = ${place} LEFT JOIN waiting ON waiting.at = ${place}
         LEFT JOIN died ON died.at = ${place}
       ${one} ORDER BY subscription, partition`,
  )
  const rows = subscription === undefined ? statement.all() : statement.all({ subscription })
  return rows.map((row) => ({ ...row }) as unknown as WireLedger)
}

/** A page of what stages keep ends here: values may be large. */
const unitsPerPage = 4 * 1024 * 1024

/** The reader's half of the ledger statements: flat rows in the order in which rows.ts decodes them. */
export function createLedgerReads(database: DatabaseSync) {
  // Asked in the same statement, so that what is read is of one moment also when another ledger takes the name.
  const place = hasPlaces(database)
    ? '(SELECT ifnull(place, subscription) FROM ledgers WHERE subscription = ?1 LIMIT 1)'
    : '?1'
  const prepare = (sql: string) =>
    prepareRows(database, sql.replace('WHERE subscription = ?', `WHERE subscription = ${place}`))
  const due = prepare(
    'SELECT sequence, due, body FROM deliveries WHERE subscription = ? AND due >= ? AND due <= ? AND sequence > ? ORDER BY due, sequence LIMIT ?',
  )
  const rowsAfter = prepare(
    'SELECT sequence, due, body FROM deliveries WHERE subscription = ? AND sequence > ? ORDER BY sequence LIMIT ?',
  )
  const oneRow = prepare('SELECT sequence, due, body FROM deliveries WHERE subscription = ? AND sequence = ?')
  const nextDue = prepare('SELECT min(due) FROM deliveries WHERE subscription = ?')
  const held = prepare('SELECT key, sequences FROM held WHERE subscription = ? ORDER BY lowest, key')
  const deadAfter = prepare(
    'SELECT sequence, died, type, body FROM dead WHERE subscription = ? AND sequence > ? ORDER BY sequence',
  )
  const oneDead = prepare('SELECT sequence, died, type, body FROM dead WHERE subscription = ? AND sequence = ?')
  let batches: ReturnType<typeof prepare> | undefined
  let kept: ReturnType<typeof prepareKept> | undefined
  const span = prepare('SELECT span FROM history_span WHERE subscription = ?')
  const historyOf = prepare(
    'SELECT last, n, first, at, body FROM history WHERE subscription = ? AND last >= ? AND last <= ? AND first <= ? ORDER BY last, n LIMIT ?',
  )
  const historyAfter = prepare(
    'SELECT last, n, first, at, body FROM history WHERE subscription = ? AND (last, n) > (?, ?) ORDER BY last, n LIMIT ?',
  )
  const base = prepare('SELECT state, count FROM history_base WHERE subscription = ?')

  return {
    ledgers: () => readLedgers(database),
    rows(subscription: string, query: RowQuery): unknown[] {
      if (query.sequences !== undefined) {
        return sortedOnce(query.sequences)
          .flatMap((sequence) => oneRow.all(subscription, sequence))
          .filter((row) => isWanted(row as unknown as Value[], query))
          .slice(0, query.limit)
      }
      if (query.dueBefore !== undefined)
        return due.all(subscription, query.dueFrom ?? 0, query.dueBefore, query.after ?? 0, query.limit)
      return rowsAfter.all(subscription, query.after ?? 0, query.limit)
    },
    nextDue(subscription: string): number | null {
      return (nextDue.get(subscription) as unknown as [number | null])[0]
    },
    held: (subscription: string): unknown[] => held.all(subscription),
    batches(subscription: string): unknown[] {
      // A file of the first version that is only read has no such table.
      if ((scalar(database, 'PRAGMA user_version') ?? 0) < 2) return []
      batches ??= prepare('SELECT body FROM batches WHERE subscription = ?')
      return batches.all(subscription)
    },
    kept(subscription: string, query: KeptQuery): unknown[] {
      // A file of an earlier version that is only read has no such table.
      if ((scalar(database, 'PRAGMA user_version') ?? 0) < 3) return []
      kept ??= prepareKept(prepare)
      const { one, from, after, due } = kept
      if ('keys' in query) return query.keys.flatMap((key) => one.all(subscription, query.stage, key))
      if ('dueBefore' in query) return due.all(subscription, query.dueBefore, query.limit)
      const { stage, limit, prefix = '' } = query
      const isBefore = query.after === undefined || Buffer.compare(Buffer.from(query.after), Buffer.from(prefix)) < 0
      const [statement, least] = isBefore ? [from, prefix] : ([after, query.after!] as const)
      const found: unknown[] = []
      let units = 0
      for (const row of statement.iterate(subscription, stage, least, limit)) {
        const [, key, , value] = row as unknown as string[]
        if (!key!.startsWith(prefix)) break
        found.push(row)
        units += value!.length
        if (units > unitsPerPage) break
      }
      return found
    },
    keptStages(subscription: string): string[] {
      if ((scalar(database, 'PRAGMA user_version') ?? 0) < 3) return []
      kept ??= prepareKept(prepare)
      const stages: string[] = []
      for (let stage = ''; ; ) {
        const row = kept.next.get(subscription, stage) as unknown as [string] | undefined
        if (row === undefined) return stages
        stage = row[0]
        stages.push(stage)
      }
    },
    dead(subscription: string, query: DeadQuery): unknown[] {
      const isType = query.type === undefined ? () => true : compilePatterns(query.type)
      const found: unknown[] = []
      const rows =
        query.sequences === undefined
          ? deadAfter.iterate(subscription, query.after ?? 0)
          : sortedOnce(query.sequences).flatMap((sequence) => oneDead.all(subscription, sequence))
      for (const row of rows) {
        const [sequence, died, type] = row as unknown as [number, number, string, string]
        if (
          sequence <= (query.after ?? 0) ||
          (query.diedBefore !== undefined && died >= query.diedBefore) ||
          !isType(type)
        )
          continue
        found.push(row)
        if (found.length >= query.limit) break
      }
      return found
    },
    history(subscription: string, query: HistoryQuery): unknown[] {
      const [last, n] = (query.after ?? '-1.0').split('.').map(Number) as [number, number]
      if (query.sequence === undefined) return historyAfter.all(subscription, last, n, query.limit)
      const widest = (span.get(subscription) as unknown as [number] | undefined)?.[0] ?? 0
      const rows = historyOf.all(subscription, query.sequence, query.sequence + widest, query.sequence, -1)
      const isLater = (row: Value[]): boolean =>
        (row[0] as number) > last || (row[0] === last && (row[1] as number) > n)
      return (rows as unknown as Value[][]).filter(isLater).slice(0, query.limit)
    },
    historyBase: (subscription: string): unknown[] => base.all(subscription),
  }
}

function prepareKept(prepare: (sql: string) => StatementSync) {
  const columns = 'SELECT stage, key, due, value FROM kept WHERE subscription = ?'
  return {
    one: prepare(`${columns} AND stage = ? AND key = ?`),
    from: prepare(`${columns} AND stage = ? AND key >= ? ORDER BY key LIMIT ?`),
    after: prepare(`${columns} AND stage = ? AND key > ? ORDER BY key LIMIT ?`),
    due: prepare(`${columns} AND due <= ? ORDER BY due, stage, key LIMIT ?`),
    // One step along the index for each stage, however many keys it has.
    next: prepare('SELECT stage FROM kept WHERE subscription = ? AND stage > ? ORDER BY stage LIMIT 1'),
  }
}

const sortedOnce = (sequences: readonly Sequence[]): Sequence[] => [...new Set(sequences)].sort((a, b) => a - b)

function isWanted([sequence, due]: Value[], query: RowQuery): boolean {
  return (
    (sequence as number) > (query.after ?? 0) && (query.dueBefore === undefined || (due as number) <= query.dueBefore)
  )
}
