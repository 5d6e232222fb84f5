import assert from 'node:assert/strict'
import type { Store } from '../../plugin/store.ts'
import { commitOne, event, pruneWholly, type StoreCase } from './case.ts'

const put = (store: Store, version: number | undefined, ...ids: string[]) =>
  commitOne(store, {
    events: ids.map((id) => event(id)),
    streams: ids.map(() => 'order-1'),
    ...(version === undefined ? {} : { expect: { stream: 'order-1', version } }),
  })

/** Appends whole, whatever the version. */
const putWhole = (store: Store, ...ids: string[]) =>
  commitOne(store, {
    events: ids.map((id) => event(id)),
    streams: ids.map(() => 'order-1'),
    expect: { stream: 'order-1' },
  })

/** What a stream holds, as `version:id`. */
async function streamOf(store: Store, stream = 'order-1', after = 0, limit = 10): Promise<string[]> {
  const { events } = await store.readStream(stream, after, limit)
  return events.map(({ version, event: { id } }) => `${version}:${id}`)
}

/** Events of one entity, with the version they were written against. */
export const streamCases: readonly StoreCase[] = [
  {
    promise: 'a stream is read in order of version, from a version on',
    ids: ['G9', 'S3-14'],
    async run({ open }) {
      const store = await open()
      await put(store, undefined, 'a', 'b')
      await commitOne(store, { events: [event('z'), event('y')], streams: ['order-2', undefined] })
      await put(store, undefined, 'c')
      assert.deepEqual(await streamOf(store), ['1:a', '2:b', '3:c'])
      assert.deepEqual(await streamOf(store, 'order-1', 1, 1), ['2:b'])
      assert.deepEqual(await streamOf(store, 'order-2'), ['1:z'])
      assert.deepEqual(await store.readStream('order-1', 3, 10), { version: 3, events: [] })
      assert.deepEqual(await store.readStream('nothing', 0, 10), { version: 0, events: [] })
    },
  },
  {
    promise: 'a commit is refused unless its stream is at the expected version, and is told the version',
    ids: ['G9', 'G3'],
    async run({ open }) {
      const store = await open()
      const first = await put(store, 0, 'a', 'b')
      assert.equal(first.kind === 'ok' && first.version, 2)
      for (const wrong of [0, 1, 3]) {
        const result = await put(store, wrong, 'c')
        assert.equal(result.kind, 'refused')
        if (result.kind === 'refused') assert.deepEqual([result.reason, result.version], ['expect', 2])
      }
      assert.equal(await store.find('shop', 'c'), undefined)
      assert.equal((await put(store, 2, 'c')).kind, 'ok')
      assert.deepEqual(await streamOf(store), ['1:a', '2:b', '3:c'])
    },
  },
  {
    promise: 'of two commits handed in at once against one version, one is accepted',
    ids: ['S0-09', 'G9'],
    async run({ open }) {
      const store = await open()
      const results = await Promise.all([put(store, 0, 'a'), put(store, 0, 'b'), put(store, 0, 'c')])
      assert.deepEqual(results.map(({ kind }) => kind).sort(), ['ok', 'refused', 'refused'])
      assert.equal((await streamOf(store)).length, 1)
    },
  },
  {
    promise: 'of many that race for each version one wins, and versions have no holes',
    ids: ['S0-09', 'G9', 'S3-14'],
    async run({ open }) {
      const store = await open()
      const writer = async (name: string) => {
        for (let left = 5, version = 0; left > 0; ) {
          const result = await put(store, version, `${name}${left}`)
          if (result.kind === 'ok') left -= 1
          version = result.version!
        }
      }
      await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map(writer))
      const { version, events } = await store.readStream('order-1', 0, 100)
      assert.equal(version, 30)
      assert.deepEqual(
        events.map((each) => each.version),
        Array.from({ length: 30 }, (_, index) => index + 1),
      )
      assert.equal(new Set(events.map((each) => each.event.id)).size, 30)
    },
  },
  {
    promise: 'a commit to a stream is whole: one event that is there already refuses all of it',
    ids: ['G2', 'G6'],
    async run({ open }) {
      const store = await open()
      await put(store, 0, 'a')
      await commitOne(store, { events: [event('z')] })
      const twice = { events: [event('q'), event('q')], streams: ['order-1', 'order-1'] }
      for (const result of [
        await put(store, 1, 'b', 'a'),
        await put(store, 1, 'z'),
        await putWhole(store, 'b', 'z'),
        await commitOne(store, { ...twice, expect: { stream: 'order-1', version: 1 } }),
      ])
        assert.equal(result.kind === 'refused' && result.reason, 'known')
      assert.equal(store.head(), 2)
      const whole = await putWhole(store, 'b', 'c')
      assert.equal(whole.kind === 'ok' && whole.version, 3)
      assert.deepEqual(await streamOf(store), ['1:a', '2:b', '3:c'])
    },
  },
  {
    promise: 'a duplicate does not enter its stream again',
    ids: ['G6'],
    async run({ open }) {
      const store = await open()
      await put(store, undefined, 'a')
      await put(store, undefined, 'a', 'b')
      await commitOne(store, { events: [event('a', { data: '"other"' })], streams: ['order-1'] })
      assert.deepEqual(await streamOf(store), ['1:a', '2:b'])
      assert.equal((await put(store, 2, 'c')).kind, 'ok')
    },
  },
  {
    promise: 'a stream was at a version when the log was at a sequence',
    ids: ['S3-14'],
    async run({ open }) {
      const store = await open()
      await put(store, undefined, 'a')
      await commitOne(store, { events: [event('z')] })
      await put(store, undefined, 'b', 'c')
      const versions = await Promise.all([0, 1, 2, 3, 4, 99].map((sequence) => store.versionAt('order-1', sequence)))
      assert.deepEqual(versions, [0, 1, 1, 2, 3, 3])
      assert.equal(await store.versionAt('nothing', 4), 0)
    },
  },
  {
    promise: 'a stream and its version are there after a restart',
    ids: ['G1', 'S3-14'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const store = await open()
      await put(store, 0, 'a', 'b')
      const again = await reopen(store)
      assert.deepEqual(await streamOf(again), ['1:a', '2:b'])
      assert.equal((await put(again, 1, 'c')).kind, 'refused')
      assert.equal((await put(again, 2, 'c')).kind, 'ok')
      assert.equal(await again.versionAt('order-1', again.head()), 3)
    },
  },
  {
    promise: 'retention takes events out of a stream and leaves the versions of the others',
    ids: ['G29'],
    async run({ open }) {
      const store = await open()
      await put(store, undefined, 'a', 'b', 'c')
      await pruneWholly(store, { events: 2 })
      assert.deepEqual(await streamOf(store), ['3:c'])
      // What is gone takes no place on a page.
      assert.deepEqual(await streamOf(store, 'order-1', 0, 1), ['3:c'])
      const at = (...sequences: number[]) => Promise.all(sequences.map((each) => store.versionAt('order-1', each)))
      // What is gone took its versions along; from the last of them on they are known.
      assert.deepEqual(await at(0, 1, 2, 3, 9), [undefined, undefined, 2, 3, 3])
      assert.equal((await put(store, 3, 'd')).kind, 'ok')
      await pruneWholly(store, { events: 4 })
      assert.deepEqual(await store.readStream('order-1', 0, 10), { version: 4, events: [] })
      assert.equal((await put(store, 0, 'e')).kind, 'refused')
      assert.equal((await put(store, 4, 'e')).kind, 'ok')
    },
  },
]
