import assert from 'node:assert/strict'
import {
  append,
  commitOne,
  event,
  historyRow,
  ledgerState,
  own,
  row,
  type StoreCase,
  same,
  sequencesOf,
} from './case.ts'

/** All of a commit or none, and never another's. */
export const commitAtomicityCases: readonly StoreCase[] = [
  {
    promise: 'events, cursor and ledger of a commit appear together',
    ids: ['S1-07', 'K2', 'G9'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const result = await crm.change(
        { ledger: ledgerState({ examined: 1 }), put: [row(1)] },
        { events: [event('a')], cursor: { source: 'shop', value: 'page-2' } },
      )
      assert.equal(result.kind, 'ok')
      assert.equal(store.head(), 1)
      assert.equal(await store.cursor('shop'), 'page-2')
      assert.deepEqual(sequencesOf(await store.rows('crm', { limit: 10 })), [1])
      assert.equal((await store.ledgers())[0]!.examined, 1)
    },
  },
  {
    promise: 'a commit with a stale epoch leaves nothing behind: no event, no cursor, no row',
    ids: ['G21', 'K2', 'G3'],
    async run({ open }) {
      const store = await open()
      const former = await own(store)
      await own(store)
      const result = await former.change(
        { ledger: ledgerState({ examined: 9 }), put: [row(1)], history: [historyRow(1, 1)] },
        { events: [event('a')], cursor: { source: 'shop', value: 'page-2' } },
      )
      assert.equal(result.kind, 'refused')
      if (result.kind === 'refused') assert.equal(result.reason, 'stale-epoch')
      assert.equal(store.head(), 0)
      assert.equal(await store.find('shop', 'a'), undefined)
      assert.equal(await store.cursor('shop'), undefined)
      assert.deepEqual(await store.rows('crm', { limit: 10 }), [])
      assert.deepEqual((await store.history('crm', { limit: 10 })).rows, [])
      assert.equal((await store.ledgers())[0]!.examined, 0)
    },
  },
  {
    promise: 'a commit that changes two ledgers is refused whole when one epoch is stale',
    ids: ['G21', 'G9'],
    async run({ open }) {
      const store = await open()
      const stale = await own(store, 'a')
      await own(store, 'a')
      const good = await own(store, 'b')
      const result = await commitOne(store, {
        ledgers: [
          { subscription: 'b', partition: 0, epoch: good.epoch, put: [row(1)] },
          { subscription: 'a', partition: 0, epoch: stale.epoch, put: [row(1)] },
        ],
      })
      assert.equal(result.kind, 'refused')
      assert.deepEqual(await store.rows('b', { limit: 10 }), [])
    },
  },
  {
    promise: 'a refused commit leaves its neighbours untouched, and sequences stay without a gap',
    ids: ['G2', 'G21'],
    async run({ open }) {
      const store = await open()
      const results = await store.commit([
        { events: [event('a')] },
        { events: [event('b'), event('c')], expect: { stream: 'none', version: 3 } },
        { events: [event('d')], cursor: { source: 'shop', value: '7' } },
      ])
      assert.deepEqual(
        results.map(({ kind }) => kind),
        ['ok', 'refused', 'ok'],
      )
      const events = await store.read(0, 10)
      assert.deepEqual(
        events.map(({ sequence, id }) => [sequence, id]),
        [
          [1, 'a'],
          [2, 'd'],
        ],
      )
      assert.equal(await store.cursor('shop'), '7')
    },
  },
  {
    promise: 'results come in the order of the commits',
    ids: ['G2'],
    async run({ open }) {
      const store = await open()
      const results = await store.commit(['a', 'b', 'c'].map((id) => ({ events: [event(id)] })))
      same(
        results.map((result) => result.kind === 'ok' && result.events[0]!.sequence),
        [1, 2, 3],
      )
    },
  },
  {
    promise: 'several changes of one ledger in one commit are applied in their order',
    ids: ['G9'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const base = { subscription: 'crm', partition: 0, epoch: crm.epoch }
      await commitOne(store, {
        ledgers: [
          { ...base, put: [row(1, { attempt: 1 })], ledger: ledgerState({ examined: 1 }) },
          { ...base, put: [row(1, { attempt: 2 })], ledger: ledgerState({ examined: 2 }) },
        ],
      })
      assert.equal((await store.rows('crm', { limit: 10 }))[0]!.attempt, 2)
      assert.equal((await store.ledgers())[0]!.examined, 2)
    },
  },
  {
    promise: 'a duplicate does not keep the cursor and ledger of its commit from moving',
    ids: ['S0-14', 'S1-70'],
    async run({ open }) {
      const store = await open()
      await append(store, event('a'))
      await commitOne(store, { events: [event('a')], cursor: { source: 'shop', value: 'next' } })
      assert.equal(await store.cursor('shop'), 'next')
    },
  },
]
