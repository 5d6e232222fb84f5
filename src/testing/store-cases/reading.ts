import assert from 'node:assert/strict'
import { append, event, fill, idsOf, pruneWholly, type StoreCase, sequencesOf } from './case.ts'

/** Reading in order, and waiting for more. */
export const readingCases: readonly StoreCase[] = [
  {
    promise: 'a read begins after a sequence, keeps its limit, and is empty only at the head',
    ids: ['G7', 'G17'],
    async run({ open }) {
      const store = await open()
      await fill(store, 10)
      assert.deepEqual(sequencesOf(await store.read(0, 3)), [1, 2, 3])
      assert.deepEqual(sequencesOf(await store.read(7, 100)), [8, 9, 10])
      assert.deepEqual(await store.read(10, 5), [])
      assert.deepEqual(await store.read(999, 5), [])
    },
  },
  {
    promise: 'a read from below the oldest kept begins at the oldest kept',
    ids: ['G24', 'G29'],
    async run({ open }) {
      const store = await open()
      await fill(store, 10)
      await pruneWholly(store, { events: 6 })
      assert.deepEqual(sequencesOf(await store.read(0, 2)), [7, 8])
      assert.deepEqual(sequencesOf(await store.read(3, 2)), [7, 8])
    },
  },
  {
    promise: 'events are found by sequence: in order, once each, without those that are gone',
    ids: ['G20'],
    async run({ open }) {
      const store = await open()
      await fill(store, 6)
      await pruneWholly(store, { events: 2 })
      assert.deepEqual(sequencesOf(await store.readMany([5, 1, 3, 5, 77])), [3, 5])
      assert.deepEqual(await store.readMany([]), [])
    },
  },
  {
    promise: 'events that are read are frozen and shared safely',
    ids: [],
    async run({ open }) {
      const store = await open()
      await append(store, event('a', { data: '{"deep":{"list":[1]}}' }))
      const [first] = await store.read(0, 1)
      const data = first!.data as { deep: { list: number[] } }
      assert.throws(() => data.deep.list.push(2), TypeError)
      const [again] = await store.read(0, 1)
      assert.deepEqual(again!.data, { deep: { list: [1] } })
    },
  },
  {
    promise: 'a time is turned into the first sequence appended then or later',
    ids: [],
    async run({ open, platform }) {
      const store = await open()
      const times: number[] = []
      for (let round = 0; round < 3; round++) {
        times.push(platform.clock.now())
        await fill(store, 2, round * 2 + 1)
        await platform.advance(5000)
      }
      assert.equal(await store.sequenceAt(0), 1)
      assert.equal(await store.sequenceAt(times[1]!), 3)
      assert.equal(await store.sequenceAt(times[1]! + 1), 5)
      assert.equal(await store.sequenceAt(platform.clock.now()), 7)
    },
  },
  {
    promise: 'a wait for what is already there ends at once',
    ids: ['K3'],
    async run({ open }) {
      const store = await open()
      await fill(store, 2)
      await store.wait(1, new AbortController().signal)
    },
  },
  {
    promise: 'a wait ends when a newer event is stored, for everyone who waits',
    ids: ['S0-20', 'K3'],
    async run({ open }) {
      const store = await open()
      await fill(store, 2)
      const never = new AbortController().signal
      const seen: string[] = []
      const waits = ['a', 'b'].map((name) => store.wait(2, never).then(() => seen.push(`${name}${store.head()}`)))
      const far = store.wait(3, never).then(() => seen.push(`far${store.head()}`))
      // A commit that stores nothing new wakes nobody for good.
      await fill(store, 2)
      assert.deepEqual(seen, [])
      await append(store, event('new'))
      await Promise.all(waits)
      assert.deepEqual(seen, ['a3', 'b3'])
      await append(store, event('newer'))
      await far
      assert.deepEqual(seen, ['a3', 'b3', 'far4'])
    },
  },
  {
    promise: 'a wait ends when its signal aborts, also when it was aborted before',
    ids: ['G32'],
    async run({ open }) {
      const store = await open()
      const stop = new AbortController()
      const waiting = store.wait(0, stop.signal)
      stop.abort()
      await waiting
      await store.wait(0, stop.signal)
      assert.equal(store.head(), 0)
    },
  },
  {
    promise: 'whoever reads while others append sees every event once, in order',
    ids: ['G7', 'G24'],
    async run({ open }) {
      const store = await open()
      const never = new AbortController().signal
      const seen: string[] = []
      const total = 120
      const reading = (async () => {
        let after = 0
        while (seen.length < total) {
          await store.wait(after, never)
          const events = await store.read(after, 7)
          seen.push(...idsOf(events))
          after = events.at(-1)!.sequence
        }
      })()
      const writing = Array.from({ length: 4 }, async (_, writer) => {
        for (let index = 0; index < total / 4; index++) await append(store, event(`${writer}-${index}`))
      })
      await Promise.all([reading, ...writing])
      assert.equal(new Set(seen).size, total)
      for (let writer = 0; writer < 4; writer++) {
        const own = seen.filter((id) => id.startsWith(`${writer}-`))
        assert.deepEqual(
          own,
          Array.from({ length: total / 4 }, (_, index) => `${writer}-${index}`),
        )
      }
    },
  },
]
