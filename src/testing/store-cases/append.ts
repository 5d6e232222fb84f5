import assert from 'node:assert/strict'
import { append, commitOne, event, fill, idsOf, type StoreCase, same, sequencesOf } from './case.ts'

/** What an append does to the log. */
export const appendCases: readonly StoreCase[] = [
  {
    promise: 'a new store is empty: head 0, oldest 1, nothing to read',
    ids: ['S0-16'],
    async run({ open }) {
      const store = await open()
      assert.equal(store.head(), 0)
      assert.equal(store.oldest(), 1)
      assert.deepEqual(await store.read(0, 10), [])
      assert.deepEqual((await store.query({ limit: 10 })).events, [])
      assert.equal(await store.sequenceAt(0), 1)
    },
  },
  {
    promise: 'sequences begin at 1, follow the order of the events, and have no gap',
    ids: ['G2', 'G7'],
    async run({ open }) {
      const store = await open()
      same(await append(store, event('a'), event('b'), event('c')), [
        { status: 'stored', sequence: 1 },
        { status: 'stored', sequence: 2 },
        { status: 'stored', sequence: 3 },
      ])
      same(await append(store, event('d')), [{ status: 'stored', sequence: 4 }])
      assert.equal(store.head(), 4)
      assert.deepEqual(idsOf(await store.read(0, 10)), ['a', 'b', 'c', 'd'])
    },
  },
  {
    promise: 'an answered append can be read at once',
    ids: ['S0-16'],
    async run({ open }) {
      const store = await open()
      for (const id of ['a', 'b', 'c']) {
        const [result] = await append(store, event(id))
        assert.equal(store.head(), result!.sequence)
        assert.deepEqual(idsOf(await store.read(result!.sequence - 1, 10)), [id])
        assert.deepEqual(idsOf(await store.readMany([result!.sequence])), [id])
      }
    },
  },
  {
    promise: 'the answer to an append says the durability that the store has',
    ids: ['G1', 'G3'],
    async run({ open }) {
      const store = await open()
      const result = await commitOne(store, { events: [event('a')] })
      assert.equal(result.kind, 'ok')
      if (result.kind === 'ok') assert.equal(result.durability, store.durability)
    },
  },
  {
    promise: 'an event keeps every field it was given and gets the time of the store',
    ids: ['G4'],
    async run({ open, platform }) {
      const store = await open()
      const full = event('a', {
        subject: 'order-42',
        time: '2026-02-03T04:05:06+01:00',
        data: '{"b": 1,  "a":2}',
        meta: '{"tenant":"x"}',
        datacontenttype: 'application/json',
        dataschema: 'https://example.com/schema',
      })
      await append(store, full)
      const [stored] = await store.read(0, 1)
      same(stored!.record, { ...full, sequence: 1, appendedAt: platform.clock.now() })
    },
  },
  {
    promise: 'an event with only the fields that must be there comes back without others',
    ids: ['G4'],
    async run({ open, platform }) {
      const store = await open()
      await append(store, { source: 's', id: '1', type: 't' })
      const [stored] = await store.read(0, 1)
      same(stored!.record, { source: 's', id: '1', type: 't', sequence: 1, appendedAt: platform.clock.now() })
      assert.equal(stored!.data, undefined)
      assert.deepEqual(stored!.meta, {})
      assert.equal(stored!.time, stored!.recordedtime)
    },
  },
  {
    promise: 'a large batch is stored whole, in order',
    ids: ['G2', 'S0-10'],
    async run({ open }) {
      const store = await open()
      const results = await fill(store, 3000)
      assert.deepEqual(
        sequencesOf(results),
        Array.from({ length: 3000 }, (_, index) => index + 1),
      )
      const all = []
      for (let after = 0; after < 3000; after = all.at(-1)!.sequence) {
        const page = await store.read(after, 500)
        assert.notEqual(page.length, 0)
        all.push(...page)
      }
      assert.deepEqual(
        idsOf(all),
        Array.from({ length: 3000 }, (_, index) => String(index + 1)),
      )
    },
  },
  {
    promise: 'an empty commit and no commit at all are accepted and change nothing',
    ids: ['G2'],
    async run({ open }) {
      const store = await open()
      assert.equal((await commitOne(store, {})).kind, 'ok')
      assert.deepEqual(await store.commit([]), [])
      assert.equal(store.head(), 0)
    },
  },
]
