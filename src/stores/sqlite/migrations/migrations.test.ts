import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { noCounters } from '../../../core/ledger-state.ts'
import { append, events, openIn, temporaryFolder } from '../fixture.ts'

/** A file as the first version left it: no tables of batches and kept values, and pending deliveries as a list. */
function asOfVersionOne(folder: string, pending: readonly number[]): void {
  const database = new DatabaseSync(join(folder, 'events.db'))
  database.exec(
    'DROP TABLE batches; DROP TABLE kept; DROP TABLE leavings; DROP INDEX streams_by_sequence; ALTER TABLE ledgers DROP COLUMN place; PRAGMA user_version = 1',
  )
  const body = { start: 0, examined: 40, follows: true, pending, counters: noCounters, state: 'running' }
  database.prepare("UPDATE ledgers SET body = ? WHERE subscription = 'crm'").run(JSON.stringify(body))
  database.close()
}

// S1-38, G31
test('a file of the first version is brought up to date where it is, with its events and open deliveries', async () => {
  const folder = temporaryFolder()
  const first = await openIn(folder)
  await append(first, events(40))
  const initial = { start: 0, examined: 0, follows: true, pending: [], counters: noCounters, state: 'running' } as const
  await first.openLedger('crm', 0, 'test', initial)
  await first.close()
  const pending = Array.from({ length: 20 }, (_, index) => 2 * index + 1)
  asOfVersionOne(folder, pending)

  const reader = await openIn(folder, { readOnly: true })
  expect(await reader.batches('crm')).toEqual([])
  expect(await reader.kept('crm', { dueBefore: 1, limit: 1 })).toEqual([])
  expect((await reader.ledgers())[0]!.pending).toEqual(pending)
  await reader.close()

  const second = await openIn(folder)
  expect(second.head()).toBe(40)
  expect((await second.ledgers())[0]!.pending).toEqual(pending)
  const { epoch } = await second.openLedger('crm', 0, 'test', initial)
  const row = {
    kind: 'offered',
    batch: '2-1',
    state: 'leased',
    proof: 'x',
    deadline: 5,
    sequences: [1, 3],
    counts: [1, 1],
    isConfirmed: false,
  } as const
  await second.commit([{ ledgers: [{ subscription: 'crm', partition: 0, epoch, batches: [row] }] }])
  expect(await second.batches('crm')).toEqual([row])
  expect(await second.verify()).toMatchObject({ ok: true })
  await second.close()
  const database = new DatabaseSync(join(folder, 'events.db'))
  expect(database.prepare('PRAGMA user_version').get()).toEqual({ user_version: 5 })
  database.close()
})
