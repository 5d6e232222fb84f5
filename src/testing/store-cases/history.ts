import assert from 'node:assert/strict'
import type { HistoryRow } from '../../core/ledger-state.ts'
import type { Store } from '../../plugin/store.ts'
import { historyRow, own, pruneWholly, type StoreCase, same } from './case.ts'

async function wholeHistory(store: Store, limit: number): Promise<HistoryRow[]> {
  const rows: HistoryRow[] = []
  let after: string | undefined
  do {
    const page = await store.history('crm', { limit, after })
    assert.ok(page.rows.length <= limit)
    rows.push(...page.rows)
    after = page.next
  } while (after !== undefined)
  return rows
}

/** What became of deliveries. */
export const historyCases: readonly StoreCase[] = [
  {
    promise: 'a history row comes back with its runs, reasons and attempts',
    ids: ['G20'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const full: HistoryRow = {
        first: 3,
        last: 20,
        at: 1_790_000_000_000,
        runs: [
          { from: 3, count: 10, state: 'delivered' },
          { from: 15, count: 1, state: 'discarded', reason: 'a test order', attempts: 3 },
          { from: 20, count: 1, state: 'dead', reason: 'HTTP 404' },
        ],
        attempts: [
          {
            sequence: 20,
            attempts: [
              { at: 1, durationMs: 2, step: 'sink', outcome: 'reject', reason: 'HTTP 404', detail: { status: 404 } },
            ],
          },
        ],
      }
      await crm.change({ history: [full] })
      same((await store.history('crm', { limit: 10 })).rows, [full])
    },
  },
  {
    promise: 'the history of one sequence is every row whose span contains it',
    ids: ['G20'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ history: [historyRow(1, 100), historyRow(101, 101), historyRow(50, 60, { at: 2 })] })
      await crm.change({ history: [historyRow(55, 55, { at: 3 })] })
      const of = async (sequence: number) =>
        (await store.history('crm', { sequence, limit: 10 })).rows.map(({ first, last }) => `${first}-${last}`).sort()
      assert.deepEqual(await of(55), ['1-100', '50-60', '55-55'])
      assert.deepEqual(await of(1), ['1-100'])
      assert.deepEqual(await of(100), ['1-100'])
      assert.deepEqual(await of(101), ['101-101'])
      assert.deepEqual(await of(102), [])
    },
  },
  {
    promise: 'a full read by pages meets every history row once, in order of its last sequence',
    ids: ['G14', 'G33'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const rows = Array.from({ length: 25 }, (_, index) => historyRow(index * 3 + 1, index * 3 + 3))
      await crm.change({ history: rows.slice(10) })
      await crm.change({ history: rows.slice(0, 10) })
      // The same sequence settled once more, after a redrive.
      await crm.change({ history: [historyRow(30, 30, { at: 5 })] })
      const expected = [...rows.slice(0, 10), historyRow(30, 30, { at: 5 }), ...rows.slice(10)]
      for (const limit of [1, 4, 26, 100]) same(await wholeHistory(store, limit), expected, `pages of ${limit}`)
    },
  },
  {
    promise: 'pruned history is gone, and its counts stay in the base',
    ids: ['G14', 'G33'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      same(await store.historyBase('crm'), {})
      await crm.change({
        history: [
          historyRow(1, 10, { at: 100 }),
          {
            first: 11,
            last: 12,
            at: 200,
            runs: [
              { from: 11, count: 1, state: 'dead' },
              { from: 12, count: 1, state: 'delivered' },
            ],
          },
          historyRow(13, 13, { at: 300 }),
        ],
      })
      assert.equal((await pruneWholly(store, { historyBeforeMs: 300 })).history, 2)
      same((await store.history('crm', { limit: 10 })).rows, [historyRow(13, 13, { at: 300 })])
      same(await store.historyBase('crm'), { delivered: 11, dead: 1 })
      await pruneWholly(store, { historyBeforeMs: 301 })
      same(await store.historyBase('crm'), { delivered: 12, dead: 1 })
      assert.equal((await pruneWholly(store, { historyBeforeMs: 301 })).history, 0)
    },
  },
  {
    promise: 'the base of one subscription is not that of another, and goes with it',
    ids: ['G18'],
    async run({ open }) {
      const store = await open()
      for (const name of ['crm', 'mail']) {
        const ledger = await own(store, name)
        await ledger.change({ history: [historyRow(1, name.length, { at: 1 })] })
      }
      await pruneWholly(store, { historyBeforeMs: 2 })
      same(await store.historyBase('crm'), { delivered: 3 })
      same(await store.historyBase('mail'), { delivered: 4 })
      await store.dropLedger('crm')
      same(await store.historyBase('crm'), {})
    },
  },
]
