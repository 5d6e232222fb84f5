import assert from 'node:assert/strict'
import type { EventQuery, Store } from '../../plugin/store.ts'
import { append, event, fill, pruneWholly, type StoreCase, sequencesOf } from './case.ts'

/** Follows `next` to the end; a page may be empty and still have one. */
async function all(store: Store, query: Partial<EventQuery>): Promise<number[]> {
  const found: number[] = []
  let from: number | undefined
  for (let pages = 0; pages < 10_000; pages++) {
    const at = from === undefined ? {} : query.before === undefined ? { after: from } : { before: from }
    const page = await store.query({ limit: 3, ...query, ...at })
    assert.ok(page.events.length <= (query.limit ?? 3), 'a page keeps its limit')
    found.push(...sequencesOf(page.events))
    if (page.next === undefined) return found
    assert.notEqual(page.next, from, 'each page goes on')
    from = page.next
  }
  throw new Error('the search does not end')
}

async function sample(open: () => Promise<Store>): Promise<Store> {
  const store = await open()
  await append(
    store,
    event(1, { type: 'order.placed', subject: 'o-1' }),
    event(2, { type: 'order.paid', subject: 'o-1' }),
    event(3, { type: 'orders', subject: 'o-2' }),
    event(4, { type: 'millrace.dead', source: 'millrace:' }),
    event(5, { type: 'order.placed', source: 'other', subject: 'o-2' }),
    event('x', { type: 'order' }),
  )
  return store
}

/** A search for people. */
export const queryCases: readonly StoreCase[] = [
  {
    promise: 'a search without filters meets every event once, forwards and backwards',
    ids: [],
    async run({ open }) {
      const store = await sample(open)
      assert.deepEqual(await all(store, {}), [1, 2, 3, 4, 5, 6])
      assert.deepEqual(await all(store, { limit: 2 }), [1, 2, 3, 4, 5, 6])
      assert.deepEqual(await all(store, { limit: 6 }), [1, 2, 3, 4, 5, 6])
      assert.deepEqual(await all(store, { before: 7 }), [6, 5, 4, 3, 2, 1])
      assert.deepEqual(await all(store, { before: Number.MAX_SAFE_INTEGER }), [6, 5, 4, 3, 2, 1])
    },
  },
  {
    promise: 'a search begins after or before a sequence, which is not part of it',
    ids: [],
    async run({ open }) {
      const store = await sample(open)
      assert.deepEqual(sequencesOf((await store.query({ after: 4, limit: 10 })).events), [5, 6])
      assert.deepEqual(sequencesOf((await store.query({ before: 3, limit: 10 })).events), [2, 1])
      assert.equal((await store.query({ after: 4, limit: 10 })).next, undefined)
    },
  },
  {
    promise: 'types are searched as `match` reads them',
    ids: [],
    async run({ open }) {
      const store = await sample(open)
      assert.deepEqual(await all(store, { type: ['order.*'] }), [1, 2, 5])
      assert.deepEqual(await all(store, { type: ['orders', 'order.paid'] }), [2, 3])
      assert.deepEqual(await all(store, { type: ['*'] }), [1, 2, 3, 5, 6], 'a star leaves out what the engine says')
      assert.deepEqual(await all(store, { type: ['millrace.*'] }), [4])
      assert.deepEqual(await all(store, { type: ['nothing'] }), [])
    },
  },
  {
    promise: 'source, subject and id narrow a search, together when given together',
    ids: [],
    async run({ open }) {
      const store = await sample(open)
      assert.deepEqual(await all(store, { source: 'other' }), [5])
      assert.deepEqual(await all(store, { subject: 'o-1' }), [1, 2])
      assert.deepEqual(await all(store, { id: 'x' }), [6])
      assert.deepEqual(await all(store, { subject: 'o-2', source: 'shop' }), [3])
      assert.deepEqual(await all(store, { source: 'other', id: 'x' }), [])
      assert.deepEqual(await all(store, { type: ['order.*'], before: 5 }), [2, 1])
    },
  },
  {
    promise: 'a search by time takes events from since on and before until',
    ids: [],
    async run({ open, platform }) {
      const store = await open()
      await fill(store, 2)
      const first = platform.clock.now()
      await platform.advance(1000)
      const second = platform.clock.now()
      await fill(store, 2, 3)
      await platform.advance(1000)
      await fill(store, 2, 5)
      assert.deepEqual(await all(store, { sinceMs: second }), [3, 4, 5, 6])
      assert.deepEqual(await all(store, { untilMs: second }), [1, 2])
      assert.deepEqual(await all(store, { sinceMs: first + 1, untilMs: second + 1 }), [3, 4])
      assert.deepEqual(await all(store, { sinceMs: second, untilMs: second + 1, before: 100 }), [4, 3])
    },
  },
  {
    promise: 'a search for a rare event in a long log ends and finds it',
    ids: [],
    async run({ open }) {
      const store = await open()
      for (let from = 1; from <= 12_000; from += 3000) await fill(store, 3000, from)
      await append(store, event('rare', { type: 'rare' }))
      assert.deepEqual(await all(store, { type: ['rare'] }), [12_001])
      assert.deepEqual(await all(store, { id: '1', before: 20_000 }), [1])
    },
  },
  {
    promise: 'what retention removed is not found',
    ids: ['G29'],
    async run({ open }) {
      const store = await sample(open)
      await pruneWholly(store, { events: 4 })
      assert.deepEqual(await all(store, {}), [5, 6])
      assert.deepEqual(await all(store, { before: 6 }), [5])
    },
  },
]
