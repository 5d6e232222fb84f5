import assert from 'node:assert/strict'
import { append, event, fill, idsOf, own, pruneWholly, row, type StoreCase, same, sequencesOf } from './case.ts'

/** What retention removes, and what it leaves. */
export const pruneCases: readonly StoreCase[] = [
  {
    promise: 'events up to a sequence go, the others stay, and oldest follows',
    ids: ['S0-115', 'G29'],
    async run({ open }) {
      const store = await open()
      await fill(store, 20)
      assert.equal((await pruneWholly(store, { events: 7 })).events, 7)
      assert.equal(store.oldest(), 8)
      assert.equal(store.head(), 20)
      assert.deepEqual(sequencesOf(await store.read(0, 2)), [8, 9])
      assert.equal((await pruneWholly(store, { events: 7 })).events, 0)
      assert.equal((await store.size()).events, 13)
    },
  },
  {
    promise: 'sequences are never used again, also when every event is gone',
    ids: ['S1-71', 'G29', 'G7'],
    async run({ open }) {
      const store = await open()
      await fill(store, 5)
      await pruneWholly(store, { events: 1000 })
      assert.equal(store.head(), 5)
      assert.equal(store.oldest(), 6)
      assert.deepEqual(await store.read(0, 10), [])
      same(await append(store, event('new')), [{ status: 'stored', sequence: 6 }])
      assert.deepEqual(idsOf(await store.read(0, 10)), ['new'])
    },
  },
  {
    promise: 'nothing is removed that was not asked for',
    ids: ['G29'],
    async run({ open }) {
      const store = await open()
      await fill(store, 3)
      const crm = await own(store)
      await crm.change({ put: [row(1)] })
      same(await store.prune({}), { events: 0, dedup: 0, history: 0 })
      await pruneWholly(store, { events: 3 })
      assert.equal((await store.rows('crm', { limit: 10 })).length, 1)
      assert.equal(await store.find('shop', '1'), 1)
    },
  },
  {
    promise: 'events can be appended while others are removed',
    ids: ['G18'],
    async run({ open }) {
      const store = await open()
      await fill(store, 2000)
      const [, results] = await Promise.all([pruneWholly(store, { events: 1900 }), fill(store, 100, 2001)])
      assert.equal(results.at(-1)!.sequence, 2100)
      assert.equal(store.oldest(), 1901)
      assert.equal((await store.size()).events, 200)
    },
  },
  {
    promise: 'the size tells how many events there are, from when and where to',
    ids: ['G33'],
    async run({ open, platform }) {
      const store = await open()
      const first = platform.clock.now()
      await fill(store, 4)
      await platform.advance(500)
      await fill(store, 2, 5)
      const { events, oldest, head, oldestAt, bytes } = await store.size()
      same([events, oldest, head, oldestAt], [6, 1, 6, first])
      assert.ok(bytes >= 0)
      await pruneWholly(store, { events: 4 })
      assert.equal((await store.size()).oldestAt, platform.clock.now())
    },
  },
]
