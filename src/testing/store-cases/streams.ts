import assert from 'node:assert/strict'
import type { Store } from '../../plugin/store.ts'
import { commitOne, event, idsOf, pruneWholly, type StoreCase } from './case.ts'

const put = (store: Store, version: number | undefined, ...ids: string[]) =>
  commitOne(store, {
    events: ids.map((id) => event(id)),
    streams: ids.map(() => 'order-1'),
    ...(version === undefined ? {} : { expect: { stream: 'order-1', version } }),
  })

/** Events of one entity, with the version they were written against. */
export const streamCases: readonly StoreCase[] = [
  {
    promise: 'a stream is read in order of version, from a version on',
    ids: ['G9'],
    async run({ open }) {
      const store = await open()
      await put(store, undefined, 'a', 'b')
      await commitOne(store, { events: [event('z'), event('y')], streams: ['order-2', undefined] })
      await put(store, undefined, 'c')
      assert.deepEqual(idsOf(await store.readStream('order-1', 0, 10)), ['a', 'b', 'c'])
      assert.deepEqual(idsOf(await store.readStream('order-1', 1, 1)), ['b'])
      assert.deepEqual(idsOf(await store.readStream('order-2', 0, 10)), ['z'])
      assert.deepEqual(await store.readStream('order-1', 3, 10), [])
      assert.deepEqual(await store.readStream('nothing', 0, 10), [])
    },
  },
  {
    promise: 'a commit is refused unless its stream is at the expected version',
    ids: ['G9', 'G3'],
    async run({ open }) {
      const store = await open()
      assert.equal((await put(store, 0, 'a', 'b')).kind, 'ok')
      for (const wrong of [0, 1, 3]) {
        const result = await put(store, wrong, 'c')
        assert.equal(result.kind, 'refused')
        if (result.kind === 'refused') assert.equal(result.reason, 'expect')
      }
      assert.equal(await store.find('shop', 'c'), undefined)
      assert.equal((await put(store, 2, 'c')).kind, 'ok')
      assert.deepEqual(idsOf(await store.readStream('order-1', 0, 10)), ['a', 'b', 'c'])
    },
  },
  {
    promise: 'of two commits handed in at once against one version, one is accepted',
    ids: ['S0-09', 'G9'],
    async run({ open }) {
      const store = await open()
      const results = await Promise.all([put(store, 0, 'a'), put(store, 0, 'b'), put(store, 0, 'c')])
      assert.deepEqual(results.map(({ kind }) => kind).sort(), ['ok', 'refused', 'refused'])
      assert.equal((await store.readStream('order-1', 0, 10)).length, 1)
    },
  },
  {
    promise: 'a duplicate does not enter its stream again',
    ids: ['G6'],
    async run({ open }) {
      const store = await open()
      await put(store, undefined, 'a')
      await put(store, undefined, 'a', 'b')
      assert.deepEqual(idsOf(await store.readStream('order-1', 0, 10)), ['a', 'b'])
      assert.equal((await put(store, 2, 'c')).kind, 'ok')
    },
  },
  {
    promise: 'retention takes events out of a stream and leaves its version',
    ids: ['G29'],
    async run({ open }) {
      const store = await open()
      await put(store, undefined, 'a', 'b', 'c')
      await pruneWholly(store, { events: 2 })
      assert.deepEqual(idsOf(await store.readStream('order-1', 0, 10)), ['c'])
      assert.equal((await put(store, 3, 'd')).kind, 'ok')
      await pruneWholly(store, { events: 4 })
      assert.equal((await put(store, 0, 'e')).kind, 'refused')
      assert.equal((await put(store, 4, 'e')).kind, 'ok')
    },
  },
]
