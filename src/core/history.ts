import type { HistoryRow } from './ledger-state.ts'

/**
 * Settled counts per state after these rows were taken out of the history:
 * what pruning adds to a ledger's `historyBase`, so that the books still balance.
 */
export function foldHistory(
  rows: Iterable<HistoryRow>,
  base: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const counts: Record<string, number> = { ...base }
  for (const row of rows) {
    for (const run of row.runs) counts[run.state] = (counts[run.state] ?? 0) + run.count
  }
  return counts
}
