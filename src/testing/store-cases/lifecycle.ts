import assert from 'node:assert/strict'
import {
  append,
  commitOne,
  deadRow,
  event,
  fill,
  historyRow,
  ledgerState,
  own,
  pruneWholly,
  rejectsWith,
  row,
  type StoreCase,
  same,
} from './case.ts'

/** Opening, closing, opening again. */
export const lifecycleCases: readonly StoreCase[] = [
  {
    promise: 'a closed store refuses every call, and close may be called again',
    ids: ['G32', 'G3'],
    async run({ open }) {
      const store = await open()
      await append(store, event('a'))
      await store.close()
      await store.close()
      const calls: (() => Promise<unknown>)[] = [
        () => store.commit([{ events: [event('b')] }]),
        () => store.read(0, 1),
        () => store.find('shop', 'a'),
        () => store.query({ limit: 1 }),
        () => store.ledgers(),
        () => store.openLedger('crm', 0, 'me', ledgerState()),
        () => store.cursor('shop'),
        () => store.state.get('shop', 'k'),
        () => store.prune({ events: 1 }),
        () => store.checkWritable(),
      ]
      for (const call of calls) await rejectsWith('store-closed', call())
    },
  },
  {
    promise: 'close finishes what was handed in before it',
    ids: ['G32', 'G3'],
    async run({ open }) {
      const store = await open()
      const handedIn = Array.from({ length: 20 }, (_, index) => append(store, event(index)))
      await store.close()
      const results = await Promise.all(handedIn)
      assert.deepEqual(
        results.map(([result]) => result!.status),
        Array.from({ length: 20 }, () => 'stored'),
      )
    },
  },
  {
    promise: 'close ends whoever waits',
    ids: ['G32'],
    async run({ open }) {
      const store = await open()
      const waiting = store.wait(0, new AbortController().signal).catch(() => undefined)
      await store.close()
      await waiting
    },
  },
  {
    promise: 'an open store can be written and is sound',
    ids: [],
    async run({ open }) {
      const store = await open()
      await store.checkWritable()
      same(await store.verify(), { ok: true, events: 0, problems: [] })
      await fill(store, 300)
      await pruneWholly(store, { events: 100 })
      let done = 0
      const report = await store.verify((count, total) => {
        assert.ok(count >= done && count <= total, 'progress only grows')
        done = count
      })
      same(report, { ok: true, events: 200, problems: [] })
    },
  },
  {
    promise:
      'a store that keeps nothing says so: it is not persistent, is no more than memory durable, and cannot be copied',
    ids: ['G1', 'G3'],
    needs: ['not-persistent'],
    async run({ open }) {
      const store = await open()
      assert.equal(store.capabilities.isPersistent, false)
      assert.equal(store.durability, 'memory')
      await rejectsWith('state-conflict', store.backup('/nowhere/copy.db'))
    },
  },
  {
    promise: 'everything is there after closing and opening again',
    ids: ['G1', 'S1-07', 'K6', 'S0-13'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const before = await open()
      await fill(before, 10)
      const crm = await own(before)
      const state = ledgerState({ examined: 9, pending: [4], state: 'paused', reason: 'by hand' })
      await crm.change(
        {
          ledger: state,
          put: [row(5, { context: '{"a":1}' })],
          bury: [deadRow(6)],
          hold: [{ key: 'k', sequences: [7, 8] }],
          history: [historyRow(1, 3)],
          mark: { upTo: 9 },
        },
        { cursor: { source: 'shop', value: 'page-3' } },
      )
      await before.state.set('shop', 'k', 'v')
      await commitOne(before, { events: [event('s')], streams: ['order-1'] })
      await pruneWholly(before, { events: 2 })

      const store = await reopen(before)
      assert.equal(store.head(), 11)
      assert.equal(store.oldest(), 3)
      assert.equal((await store.read(0, 100)).length, 9)
      same(await fill(store, 1), [{ status: 'duplicate', sequence: 1 }])
      same(await append(store, event(4, { type: 'other' })), [{ status: 'conflict', sequence: 4 }])
      same(await store.rows('crm', { limit: 9 }), [row(5, { context: '{"a":1}' })])
      same(await store.dead('crm', { limit: 9 }), [deadRow(6)])
      same(await store.held('crm'), [{ key: 'k', sequences: [7, 8] }])
      same((await store.history('crm', { limit: 9 })).rows, [historyRow(1, 3)])
      assert.equal(await store.cursor('shop'), 'page-3')
      assert.equal(await store.state.get('shop', 'k'), 'v')
      assert.equal((await store.readStream('order-1', 0, 9)).events.length, 1)
      const [ledger] = await store.ledgers()
      same(
        [ledger!.examined, ledger!.pending, ledger!.state, ledger!.reason, ledger!.openRows, ledger!.mark],
        [9, [4], 'paused', 'by hand', 3, { upTo: 9 }],
      )
    },
  },
  {
    promise: 'sequences and epochs go on growing over openings, also when every event was removed',
    ids: ['G7', 'G21', 'G29'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const first = await open()
      await fill(first, 5)
      const former = await own(first)
      await pruneWholly(first, { events: 5 })
      const store = await reopen(first)
      assert.equal(store.head(), 5)
      assert.equal(store.oldest(), 6)
      assert.ok((await own(store)).epoch > former.epoch)
      same(await append(store, event('new')), [{ status: 'stored', sequence: 6 }])
    },
  },
  {
    promise: 'a cleared suspect mark stays cleared, and one that is set is found by the next opening',
    ids: ['G11'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const first = await open()
      const { epoch } = await own(first)
      await first.mark('crm', 0, epoch, { upTo: 3, solo: 2 })
      const second = await reopen(first)
      const found = await second.openLedger('crm', 0, 'me', ledgerState())
      same(found.mark, { upTo: 3, solo: 2 })
      await second.mark('crm', 0, found.epoch, null)
      const third = await reopen(second)
      assert.equal((await third.ledgers())[0]!.mark, undefined)
    },
  },
  {
    promise: 'the base of pruned history is kept over openings',
    ids: ['G14'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ history: [historyRow(1, 4, { at: 1 })] })
      await pruneWholly(store, { historyBeforeMs: 2 })
      same(await (await reopen(store)).historyBase('crm'), { delivered: 4 })
    },
  },
]
