import assert from 'node:assert/strict'
import { append, event, fill, pruneWholly, type StoreCase, same } from './case.ts'

const repeated = (
  name: string,
  first: Parameters<typeof event>[1],
  again: Parameters<typeof event>[1],
  status: string,
): StoreCase => ({
  promise: `${name} is a ${status}`,
  ids: ['G6', 'S0-08'],
  async run({ open }) {
    const store = await open()
    await append(store, event('a', first))
    same(await append(store, event('a', again)), [{ status, sequence: 1 }])
    assert.equal(store.head(), 1)
    const [stored] = await store.read(0, 1)
    same(stored!.record.data, event('a', first).data, 'the first stays as it was')
  },
})

/** What makes two events one. */
export const dedupCases: readonly StoreCase[] = [
  {
    promise: 'the same batch written twice stores nothing new and answers the first sequences',
    ids: ['S0-10', 'S0-13', 'S1-71', 'G6'],
    async run({ open }) {
      const store = await open()
      await fill(store, 3)
      same(await fill(store, 3), [
        { status: 'duplicate', sequence: 1 },
        { status: 'duplicate', sequence: 2 },
        { status: 'duplicate', sequence: 3 },
      ])
      assert.equal(store.head(), 3)
      assert.equal((await store.read(0, 10)).length, 3)
    },
  },
  {
    promise: 'a duplicate never fails the rest of its batch',
    ids: ['S0-14'],
    async run({ open }) {
      const store = await open()
      await append(store, event('b'))
      same(await append(store, event('a'), event('b'), event('b', { type: 'other' }), event('c')), [
        { status: 'stored', sequence: 2 },
        { status: 'duplicate', sequence: 1 },
        { status: 'conflict', sequence: 1 },
        { status: 'stored', sequence: 3 },
      ])
    },
  },
  {
    promise: 'an event given twice in one commit is stored once',
    ids: ['S0-08', 'S0-10'],
    async run({ open }) {
      const store = await open()
      same(await append(store, event('a'), event('a'), event('a', { type: 'other' })), [
        { status: 'stored', sequence: 1 },
        { status: 'duplicate', sequence: 1 },
        { status: 'conflict', sequence: 1 },
      ])
      assert.equal(store.head(), 1)
    },
  },
  {
    promise: 'an event given in two commits handed in together is stored once',
    ids: ['S0-09'],
    async run({ open }) {
      const store = await open()
      const [first, second] = await store.commit([{ events: [event('a')] }, { events: [event('a')] }])
      same(first?.kind === 'ok' && first.events, [{ status: 'stored', sequence: 1 }])
      same(second?.kind === 'ok' && second.events, [{ status: 'duplicate', sequence: 1 }])
    },
  },
  {
    promise: 'the same id of another source is another event',
    ids: ['S0-08'],
    async run({ open }) {
      const store = await open()
      const results = await append(
        store,
        event('a', { source: 'x' }),
        event('a', { source: 'y' }),
        // Joined without care, these two pairs are one text.
        event('bc', { source: 'a' }),
        event('c', { source: 'ab' }),
      )
      assert.deepEqual(
        results.map(({ status }) => status),
        ['stored', 'stored', 'stored', 'stored'],
      )
    },
  },
  repeated(
    'data with other spacing and order of keys',
    { data: '{"a":1,"b":[2]}' },
    { data: '{ "b": [2], "a": 1 }' },
    'duplicate',
  ),
  repeated('other trace context', { meta: '{"traceparent":"00-a"}' }, { meta: '{"traceparent":"00-b"}' }, 'duplicate'),
  repeated('other data', { data: '{"a":1}' }, { data: '{"a":2}' }, 'conflict'),
  repeated('another large integer', { data: '90071992547409930' }, { data: '90071992547409931' }, 'conflict'),
  repeated('another type', { type: 'x' }, { type: 'y' }, 'conflict'),
  repeated('another subject', { subject: 'x' }, { subject: 'y' }, 'conflict'),
  repeated(
    'another time of the producer',
    { time: '2026-01-01T00:00:00Z' },
    { time: '2026-01-01T00:00:01Z' },
    'conflict',
  ),
  repeated('other meta', { meta: '{"a":1}' }, { meta: '{"a":2}' }, 'conflict'),
  {
    promise: 'the sequence of a source and id can be found, and of an unknown one not',
    ids: ['G6'],
    async run({ open }) {
      const store = await open()
      await fill(store, 3)
      assert.equal(await store.find('shop', '2'), 2)
      assert.equal(await store.find('shop', '9'), undefined)
      assert.equal(await store.find('other', '2'), undefined)
    },
  },
  {
    promise: 'an event that retention removed is still a duplicate, with its first sequence',
    ids: ['S0-116', 'G29'],
    async run({ open }) {
      const store = await open()
      await fill(store, 5)
      await pruneWholly(store, { events: 4 })
      same(await append(store, event(2)), [{ status: 'duplicate', sequence: 2 }])
      assert.equal(await store.find('shop', '3'), 3)
      assert.equal(store.head(), 5)
    },
  },
  {
    promise: 'keys younger than the horizon are never forgotten',
    ids: ['G6', 'G29'],
    async run({ open, platform }) {
      const store = await open()
      await fill(store, 3)
      await platform.advance(60_000)
      const horizon = platform.clock.now()
      await fill(store, 3, 4)
      await pruneWholly(store, { events: 6, dedupBeforeMs: horizon })
      same(await fill(store, 3, 4), [
        { status: 'duplicate', sequence: 4 },
        { status: 'duplicate', sequence: 5 },
        { status: 'duplicate', sequence: 6 },
      ])
    },
  },
  {
    promise: 'a batch that is not stored after all is not remembered',
    ids: ['G3', 'G6'],
    async run({ open }) {
      const store = await open()
      const refused = await store.commit([{ events: [event('a')], expect: { stream: 's', version: 7 } }])
      assert.equal(refused[0]!.kind, 'refused')
      same(await append(store, event('a')), [{ status: 'stored', sequence: 1 }])
    },
  },
]
