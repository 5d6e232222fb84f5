import assert from 'node:assert/strict'
import type { KeptRow } from '../../core/ledger-state.ts'
import type { Store } from '../../plugin/store.ts'
import { commitOne, event, own, type StoreCase, same } from './case.ts'

const row = (key: string, value: string | null, more: Partial<KeptRow> = {}): KeptRow => ({
  stage: 'count',
  key,
  value,
  ...more,
})
const all = (store: Store, stage = 'count') => store.kept('crm', { stage, limit: 1000 })

/** Values that stages keep by key. */
export const keptCases: readonly StoreCase[] = [
  {
    promise: 'a value that a stage keeps comes back by its key, replaced or removed as it was last written',
    ids: ['G9'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store, 'crm')
      await crm.change({ kept: [row('a', '1'), row('b', '{"n":2}'), row('a', '"other stage"', { stage: 'sum' })] })
      await crm.change({ kept: [row('a', '3'), row('b', null), row('c', 'null'), row('none', null)] })
      same(await all(store), [row('a', '3'), row('c', 'null')])
      same(await store.kept('crm', { stage: 'count', keys: ['c', 'b', 'unknown'] }), [row('c', 'null')])
      same(await all(store, 'sum'), [row('a', '"other stage"', { stage: 'sum' })])
      same(await store.kept('other', { stage: 'count', limit: 10 }), [])
    },
  },
  {
    promise: 'kept values are paged in order of key, and found by their due time',
    ids: [],
    async run({ open }) {
      const store = await open()
      const crm = await own(store, 'crm')
      const rows = ['d', 'a', 'é', 'c', 'B', '😀'].map((key, i) =>
        row(key, String(i), i % 2 === 0 ? { dueAt: 100 - i } : {}),
      )
      await crm.change({ kept: rows })
      const keys: string[] = []
      for (let after: string | undefined; ; ) {
        const page = await store.kept('crm', { stage: 'count', after, limit: 2 })
        keys.push(...page.map(({ key }) => key))
        if (page.length < 2) break
        after = page.at(-1)!.key
      }
      assert.deepEqual(keys, ['B', 'a', 'c', 'd', 'é', '😀'])
      same(await store.kept('crm', { dueBefore: 98, limit: 10 }), [rows[4]!, rows[2]!])
      same(await store.kept('crm', { dueBefore: 1000, limit: 1 }), [rows[4]!])
      await crm.change({ kept: [row('B', '9')] })
      same(await store.kept('crm', { dueBefore: 1000, limit: 10 }), [rows[2]!, rows[0]!])
    },
  },
  {
    promise: 'kept values are listed by the beginning of their key, an empty key included, and by their stages',
    ids: ['S3-14'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store, 'crm')
      same(await store.keptStages('crm'), [])
      const keys = ['', 'a', 'a/1', 'a/2', 'a/😀', 'a0', 'b', 'é']
      await crm.change({ kept: [...keys.map((key) => row(key, '1')), row('x', '1', { stage: 'sum' })] })
      const listed = async (more: object) =>
        (await store.kept('crm', { stage: 'count', limit: 100, ...more })).map(({ key }) => key)
      assert.deepEqual(await listed({}), keys)
      assert.deepEqual(await listed({ after: '' }), keys.slice(1))
      assert.deepEqual(await listed({ prefix: 'a/' }), ['a/1', 'a/2', 'a/😀'])
      assert.deepEqual(await listed({ prefix: 'a/', after: 'a/1' }), ['a/2', 'a/😀'])
      assert.deepEqual(await listed({ prefix: 'a/', after: 'a' }), ['a/1', 'a/2', 'a/😀'])
      assert.deepEqual(await listed({ prefix: 'a/', after: 'b' }), [])
      assert.deepEqual(await listed({ prefix: 'a/', limit: 2 }), ['a/1', 'a/2'])
      assert.deepEqual(await listed({ prefix: '%' }), [])
      same(await store.keptStages('crm'), ['count', 'sum'])
      same(await store.keptStages('other'), [])
    },
  },
  {
    promise: 'large kept values come in smaller pages, and none is left out',
    ids: ['S3-14'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store, 'crm')
      const large = JSON.stringify('x'.repeat(3 * 1024 * 1024))
      for (const key of ['a', 'b', 'c']) await crm.change({ kept: [row(key, large)] })
      const keys: string[] = []
      for (let after: string | undefined; ; after = keys.at(-1)) {
        const page = await store.kept('crm', { stage: 'count', after, limit: 100 })
        if (page.length === 0) break
        keys.push(...page.map(({ key }) => key))
      }
      assert.deepEqual(keys, ['a', 'b', 'c'])
    },
  },
  {
    promise: 'kept values are written with the rest of their change or not at all, and go with their subscription',
    ids: ['G9', 'G21'],
    async run({ open }) {
      const store = await open()
      const before = await own(store, 'crm')
      await before.change({ kept: [row('a', '1')] })
      const after = await own(store, 'crm')
      const stale = await store.commit([
        {
          events: [event('1')],
          ledgers: [{ subscription: 'crm', partition: 0, epoch: before.epoch, kept: [row('a', '2')] }],
        },
      ])
      assert.equal(stale[0]?.kind, 'refused')
      same(await all(store), [row('a', '1')])
      await commitOne(store, {
        events: [event('2')],
        ledgers: [{ subscription: 'crm', partition: 0, epoch: after.epoch, kept: [row('a', '3')] }],
      })
      same(await all(store), [row('a', '3')])
      await store.dropLedger('crm')
      same(await all(store), [])
    },
  },
  {
    promise: 'kept values survive the store being opened again',
    ids: ['S1-30'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const store = await open()
      const crm = await own(store, 'crm')
      await crm.change({ kept: [row('a', '1', { dueAt: 5 }), row('b', 'x'.repeat(100_000).replace(/^|$/g, '"'))] })
      const again = await reopen(store)
      assert.equal((await all(again)).length, 2)
      same(await again.kept('crm', { dueBefore: 5, limit: 1 }), [row('a', '1', { dueAt: 5 })])
    },
  },
]
