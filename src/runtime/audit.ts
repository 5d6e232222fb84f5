import { messageOf } from '../core/errors.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import type { SettledState } from '../core/outcome.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import type { AuditReport } from './api.ts'
import { auditBatches } from './audit-batches.ts'

const pageSize = 2000
/** A row of history can stand for thousands of deliveries. */
const historyPage = 50

/**
 * Counts again from log, rows and history and compares with the ledgers' own counters. Reads the store only, after a flush.
 * The log must be contiguous from the oldest kept event to the head, and every checksum right.
 */
export async function auditStore(store: Store): Promise<AuditReport> {
  const problems: string[] = []
  const events = await countLog(store, problems)
  const records = await store.ledgers()
  const frontier = records.find(({ subscription }) => subscription === frontierLedger)?.examined ?? 0
  const subscriptions = []
  for (const record of records) {
    if (record.subscription !== frontierLedger) subscriptions.push(await auditLedger(store, record, frontier))
  }
  subscriptions.sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    ok: problems.length === 0 && subscriptions.every(({ ok }) => ok),
    head: store.head(),
    events,
    subscriptions,
    problems,
  }
}

async function countLog(store: Store, problems: string[]): Promise<number> {
  const head = store.head()
  let expected = store.oldest()
  let events = 0
  try {
    for (let after = expected - 1; after < head; ) {
      const page = await store.read(after, pageSize)
      if (page.length === 0) break
      for (const { sequence } of page) {
        if (sequence !== expected)
          problems.push(
            `the log has no event ${sequence - expected === 1 ? expected : `${expected} to ${sequence - 1}`}`,
          )
        expected = sequence + 1
        events += 1
      }
      after = page.at(-1)!.sequence
    }
    if (expected <= head) problems.push(`the log ends at ${expected - 1}, but its head is ${head}`)
  } catch (error) {
    problems.push(messageOf(error))
  }
  return events
}

async function auditLedger(
  store: Store,
  record: LedgerRecord,
  frontier: number,
): Promise<AuditReport['subscriptions'][number]> {
  const examined = record.follows ? Math.max(record.examined, frontier) : record.examined
  const { counters } = record
  const open = record.openRows + record.pending.length
  const filtered = examined - record.start - counters.matched
  const books = {
    examined: examined - record.start,
    filtered,
    delivered: counters.delivered,
    discarded: counters.discarded,
    superseded: counters.superseded,
    expired: counters.expired,
    dead: record.deadRows,
    lost: counters.lost,
    open,
  }
  const problems: string[] = []
  const settled = books.delivered + books.discarded + books.superseded + books.expired + books.dead + books.lost
  if (counters.matched !== settled + open) {
    problems.push(`${counters.matched} events became deliveries, but ${settled} are settled and ${open} open`)
  }
  if (filtered < 0) problems.push(`${counters.matched} deliveries came of only ${books.examined} examined events`)
  problems.push(...(await compareHistory(store, record)))
  problems.push(...(await auditBatches(store, record, examined)))
  return { name: record.subscription, ok: problems.length === 0, books, problems }
}

async function compareHistory(store: Store, { subscription, counters }: LedgerRecord): Promise<string[]> {
  const counted = new Map<SettledState, number>()
  for (const [state, count] of Object.entries(await store.historyBase(subscription)))
    counted.set(state as SettledState, count)
  for (let after: string | undefined; ; ) {
    const page = await store.history(subscription, { after, limit: historyPage })
    for (const { runs } of page.rows)
      for (const { state, count } of runs) counted.set(state, (counted.get(state) ?? 0) + count)
    after = page.next
    if (after === undefined) break
  }
  const wanted: readonly (readonly [SettledState, number])[] = [
    ['delivered', counters.delivered],
    ['discarded', counters.discarded],
    ['superseded', counters.superseded],
    ['expired', counters.expired],
    ['dead', counters.died],
  ]
  return wanted
    .filter(([state, count]) => (counted.get(state) ?? 0) !== count)
    .map(([state, count]) => `the ledger counts ${count} ${state}, the history ${counted.get(state) ?? 0}`)
}
