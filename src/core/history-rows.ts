import type { Sequence } from './event.ts'
import type { HistoryRow, HistoryRun } from './ledger-state.ts'
import type { Attempt, SettledState } from './outcome.ts'

/** One delivery that reached a settled state (or died). */
export interface Settlement {
  readonly sequence: Sequence
  readonly state: SettledState
  readonly reason?: string | undefined
  readonly attemptCount: number
  readonly attempts?: readonly Attempt[] | undefined
  /** What discarded it at once. */
  readonly step?: string | undefined
}

/** Runs further apart than this go to rows of their own, so that a row's span stays narrow and is found quickly. */
const widestGap = 4096

/** Run-length codes what one ledger commit settled. */
export function historyRows(
  at: number,
  deliveredOnce: readonly Sequence[],
  settlements: readonly Settlement[],
): HistoryRow[] {
  const runs: HistoryRun[] = []
  appendRuns(runs, deliveredOnce)
  for (const { sequence, state, reason, attemptCount, step } of settlements) {
    runs.push({
      from: sequence,
      count: 1,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(attemptCount === 1 ? {} : { attempts: attemptCount }),
      ...(step === undefined ? {} : { step }),
    })
  }
  if (runs.length === 0) return []
  const merged = merge(runs.sort((a, b) => a.from - b.from))
  const details = settlements
    .flatMap(({ sequence, attempts }) =>
      attempts === undefined || attempts.length === 0 ? [] : [{ sequence, attempts }],
    )
    .sort((a, b) => a.sequence - b.sequence)
  return cluster(at, merged, details)
}

function appendRuns(runs: HistoryRun[], sequences: readonly Sequence[]): void {
  let from = 0
  let count = 0
  for (const sequence of sequences) {
    if (count > 0 && sequence === from + count) {
      count += 1
      continue
    }
    if (count > 0) runs.push({ from, count, state: 'delivered' })
    from = sequence
    count = 1
  }
  if (count > 0) runs.push({ from, count, state: 'delivered' })
}

function merge(runs: readonly HistoryRun[]): HistoryRun[] {
  const merged: HistoryRun[] = []
  for (const run of runs) {
    const last = merged.at(-1)
    const joins =
      last !== undefined &&
      last.from + last.count === run.from &&
      last.state === run.state &&
      last.reason === run.reason &&
      last.attempts === run.attempts &&
      last.step === run.step
    if (joins) merged[merged.length - 1] = { ...last, count: last.count + run.count }
    else merged.push(run)
  }
  return merged
}

interface Detail {
  readonly sequence: Sequence
  readonly attempts: readonly Attempt[]
}

function cluster(at: number, runs: readonly HistoryRun[], details: readonly Detail[]): HistoryRow[] {
  const groups: HistoryRun[][] = []
  let last = Number.NEGATIVE_INFINITY
  for (const run of runs) {
    if (run.from - last > widestGap) groups.push([])
    groups.at(-1)!.push(run)
    last = run.from + run.count - 1
  }
  let next = 0
  return groups.map((group) => {
    const end = group.at(-1)!
    const lastOfGroup = end.from + end.count - 1
    const from = next
    while (next < details.length && details[next]!.sequence <= lastOfGroup) next += 1
    const attempts = details.slice(from, next)
    return { first: group[0]!.from, last: lastOfGroup, at, runs: group, ...(attempts.length === 0 ? {} : { attempts }) }
  })
}
