import assert from 'node:assert/strict'
import { noCounters } from '../../core/ledger-state.ts'
import { frontierLedger } from '../../plugin/store.ts'
import { commitOne, deadRow, historyRow, ledgerState, own, rejectsWith, row, type StoreCase, same } from './case.ts'

/** The small row of a subscription, and who may write it. */
export const ledgerCases: readonly StoreCase[] = [
  {
    promise: 'a ledger is created as it is asked for, once',
    ids: ['G17'],
    async run({ open }) {
      const store = await open()
      const initial = ledgerState({ start: 5, examined: 5, follows: false })
      const first = await store.openLedger('crm', 0, 'me', initial)
      same(
        {
          start: first.start,
          examined: first.examined,
          follows: first.follows,
          owner: first.owner,
          openRows: first.openRows,
          deadRows: first.deadRows,
        },
        { start: 5, examined: 5, follows: false, owner: 'me', openRows: 0, deadRows: 0 },
      )
      const again = await store.openLedger('crm', 0, 'you', ledgerState({ start: 99, examined: 99 }))
      assert.equal(again.start, 5, 'what is stored wins over the initial state')
      assert.equal(again.owner, 'you')
      assert.ok(again.epoch > first.epoch, 'each opening raises the epoch')
    },
  },
  {
    promise: 'the small row comes back as it was written',
    ids: ['G17', 'G14'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const state = ledgerState({
        start: 2,
        examined: 40,
        follows: false,
        pending: [12, 13, 39],
        counters: { ...noCounters, matched: 20, delivered: 17, attempts: 21, retries: 4 },
        state: 'halted',
        reason: 'a delivery died under onFailure: halt',
      })
      await crm.change({ ledger: state })
      const [stored] = await store.ledgers()
      const { subscription, partition, epoch, owner, openRows, deadRows, lowestRow, mark, ...rest } = stored!
      same(rest, state)
      same(
        [subscription, partition, epoch, owner, openRows, deadRows, lowestRow, mark],
        ['crm', 0, crm.epoch, 'the case', 0, 0, undefined, undefined],
      )
    },
  },
  {
    promise: 'a change without the small row leaves it as it is',
    ids: ['G17'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ ledger: ledgerState({ examined: 7, state: 'paused' }) })
      await crm.change({ put: [row(7)] })
      const [stored] = await store.ledgers()
      same([stored!.examined, stored!.state, stored!.openRows], [7, 'paused', 1])
    },
  },
  {
    promise: 'a ledger that nobody opened cannot be written',
    ids: ['G21'],
    async run({ open }) {
      const store = await open()
      const result = await commitOne(store, {
        ledgers: [{ subscription: 'nobody', partition: 0, epoch: 1, put: [row(1)] }],
      })
      assert.equal(result.kind, 'refused')
      assert.deepEqual(await store.ledgers(), [])
    },
  },
  {
    promise: 'the frontier is a ledger like another',
    ids: ['G17'],
    async run({ open }) {
      const store = await open()
      const frontier = await own(store, frontierLedger)
      await frontier.change({ ledger: ledgerState({ examined: 12 }) })
      const [stored] = await store.ledgers()
      same([stored!.subscription, stored!.examined], [frontierLedger, 12])
    },
  },
  {
    promise: 'many ledgers are opened at once, each with its own epoch and state',
    ids: ['G21'],
    async run({ open }) {
      const store = await open()
      const former = await own(store, 'b', ledgerState({ examined: 3 }))
      const opened = await store.openLedgers(
        ['a', 'b', 'c'].map((subscription) => ({ subscription, partition: 0, initial: ledgerState({ examined: 1 }) })),
        'me',
      )
      same(
        opened.map(({ subscription, examined, owner }) => [subscription, examined, owner]),
        [
          ['a', 1, 'me'],
          ['b', 3, 'me'],
          ['c', 1, 'me'],
        ],
      )
      assert.equal((await former.change({ put: [row(1)] })).kind, 'refused')
      assert.equal((await store.ledgers()).length, 3)
    },
  },
  {
    promise: 'open, held and dead rows are counted, with the lowest sequence that still needs the log',
    ids: ['G14', 'G29'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({
        put: [row(8), row(9, { state: 'leased' })],
        hold: [{ key: 'k', sequences: [5, 11, 12] }],
        bury: [deadRow(2)],
      })
      const [stored] = await store.ledgers()
      same([stored!.openRows, stored!.deadRows, stored!.lowestRow], [5, 1, 5])
      await crm.change({ hold: [{ key: 'k', sequences: [] }] })
      const [released] = await store.ledgers()
      same([released!.openRows, released!.lowestRow], [2, 8])
    },
  },
  {
    promise: 'a suspect mark is kept until it is cleared, and the next owner finds it',
    ids: ['G11'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await store.mark('crm', 0, crm.epoch, { upTo: 17 })
      same((await store.openLedger('crm', 0, 'next', ledgerState())).mark, { upTo: 17 })
      const next = await own(store)
      await store.mark('crm', 0, next.epoch, { upTo: 18, solo: 4 })
      same((await store.ledgers())[0]!.mark, { upTo: 18, solo: 4 })
      await next.change({ mark: null })
      assert.equal((await store.ledgers())[0]!.mark, undefined)
      await next.change({ mark: { upTo: 20 } })
      await next.change({ put: [row(1)] })
      same((await store.ledgers())[0]!.mark, { upTo: 20 }, 'a change that says nothing of the mark leaves it')
      await store.mark('crm', 0, next.epoch, null)
      assert.equal((await store.ledgers())[0]!.mark, undefined)
    },
  },
  {
    promise: 'a former owner cannot write a suspect mark',
    ids: ['G21'],
    async run({ open }) {
      const store = await open()
      const former = await own(store)
      await own(store)
      await rejectsWith('state-conflict', store.mark('crm', 0, former.epoch, { upTo: 99 }))
      assert.equal((await store.ledgers())[0]!.mark, undefined)
    },
  },
  {
    promise: 'a dropped subscription is forgotten wholly, and its neighbours are not',
    ids: [],
    async run({ open }) {
      const store = await open()
      for (const name of ['crm', 'mail']) {
        const ledger = await own(store, name)
        await ledger.change({
          put: [row(1)],
          bury: [deadRow(2)],
          hold: [{ key: 'k', sequences: [3] }],
          history: [historyRow(4, 4)],
        })
      }
      await store.dropLedger('crm')
      same(
        (await store.ledgers()).map(({ subscription }) => subscription),
        ['mail'],
      )
      same(await store.rows('crm', { limit: 9 }), [])
      same(await store.dead('crm', { limit: 9 }), [])
      same(await store.held('crm'), [])
      same((await store.history('crm', { limit: 9 })).rows, [])
      assert.equal((await store.rows('mail', { limit: 9 })).length, 1)
      assert.equal((await store.openLedger('crm', 0, 'me', ledgerState({ examined: 6 }))).examined, 6)
    },
  },
  {
    promise: 'whoever owned a subscription before it was dropped stays fenced when it is made anew',
    ids: ['G21'],
    async run({ open }) {
      const store = await open()
      const former = await own(store)
      await store.dropLedger('crm')
      assert.equal((await former.change({ put: [row(1)] })).kind, 'refused')
      await own(store)
      assert.equal((await former.change({ put: [row(1)] })).kind, 'refused')
    },
  },
]
