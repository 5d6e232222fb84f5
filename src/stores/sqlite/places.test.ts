import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { noCounters } from '../../core/ledger-state.ts'
import { defaultDedup } from './dedup/dedup.ts'
import { temporaryFolder } from './fixture.ts'
import { prepareFile } from './lock.ts'
import { createWriter, type WriterOperations } from './writer-operations.ts'

const initial = JSON.stringify({ start: 0, examined: 0, follows: false, pending: [], counters: noCounters })

function writerOf(path: string): WriterOperations {
  const database = { path, durability: 'disk', cacheBytes: 1024 * 1024 } as const
  return createWriter({ database, dedup: defaultDedup, acceptLoss: false })
}

/** Opens a ledger that keeps so many values. */
function fill(writer: WriterOperations, subscription: string, count: number): void {
  const [ledger] = writer.openLedgers([{ subscription, partition: 0, initial }], 'test')
  const kept = Array.from({ length: count }, (_, n) => ['count', `k${n}`, null, '1']).flat()
  const change = { subscription, partition: 0, epoch: ledger!.epoch, kept }
  writer.group({ appendedAt: 1, fields: [], counts: [0], extras: [[0, { ledgers: [change] }]] })
}

function keptAt(path: string): Record<string, number> {
  const database = new DatabaseSync(path, { readOnly: true })
  const rows = database.prepare('SELECT subscription, count(*) AS count FROM kept GROUP BY subscription').all()
  database.close()
  return Object.fromEntries(rows.map(({ subscription, count }) => [String(subscription), Number(count)]))
}

test('what a replaced ledger leaves is removed in idle moments, also by a later process', () => {
  const path = join(temporaryFolder(), 'events.db')
  prepareFile(path)
  const first = writerOf(path)
  fill(first, 'crm', 1200)
  fill(first, 'crm/rebuild', 700)
  first.replaceLedger('crm', 'crm/rebuild', 'test')
  expect(keptAt(path)).toEqual({ crm: 1200, 'crm/rebuild': 700 })
  expect(first.tidy()).toBe(true)
  expect(keptAt(path)).toEqual({ crm: 700, 'crm/rebuild': 700 })
  first.close()

  const second = writerOf(path)
  fill(second, 'crm/rebuild', 900)
  expect(keptAt(path)).toEqual({ crm: 700, 'crm/rebuild': 700, 'crm/rebuild#2': 900 })
  second.replaceLedger('crm', 'crm/rebuild', 'test')
  let rounds = 0
  while (second.tidy()) rounds += 1
  expect(rounds).toBeLessThan(10)
  expect(keptAt(path)).toEqual({ 'crm/rebuild#2': 900 })
  second.close()
})
