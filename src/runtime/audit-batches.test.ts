import { expect, test } from 'vitest'
import { noCounters, type OfferedRow } from '../core/ledger-state.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { auditStore } from './audit.ts'

function offered(batch: string, sequences: readonly number[], state: OfferedRow['state'] = 'leased'): OfferedRow {
  const counts = sequences.map(() => 1)
  return { kind: 'offered', batch, state, proof: 'p', deadline: 5, sequences, counts, isConfirmed: false }
}

async function problemsOf(pending: readonly number[], batches: readonly OfferedRow[]): Promise<readonly string[]> {
  const store = await memory.declaration.open({}, { directory: '.', platform: createVirtualPlatform() } as never)
  const counters = { ...noCounters, matched: pending.length }
  const ledger = { start: 0, examined: 9, follows: false, pending, counters, state: 'running' } as const
  const { epoch } = await store.openLedger('work', 0, 'test', ledger)
  await store.commit([{ ledgers: [{ subscription: 'work', partition: 0, epoch, ledger, batches }] }])
  const { subscriptions } = await auditStore(store)
  await store.close()
  return subscriptions[0]!.problems
}

test('the audit finds what is leased and settled, leased twice, or leased without a count', async () => {
  // G14 G23
  expect(await problemsOf([1, 2, 3], [offered('1-1', [1, 2]), offered('1-2', [3], 'stale')])).toEqual([])
  expect(
    await problemsOf([1, 2], [offered('1-1', [1], 'loose'), offered('1-2', [1, 2]), offered('1-3', [7], 'loose')]),
  ).toEqual([])
  expect(await problemsOf([1], [offered('1-1', [1, 2])])).toEqual(['event 2 is in batch 1-1 and is not open'])
  expect(await problemsOf([1, 2], [offered('1-1', [1, 2]), offered('1-2', [2])])).toEqual([
    'event 2 is in batch 1-1 and in batch 1-2',
  ])
  expect(await problemsOf([1], [{ ...offered('1-1', [1]), counts: [] }])).toEqual([
    'batch 1-1 has 1 events and 0 counts',
  ])
})
