import assert from 'node:assert/strict'
import { append, commitOne, event, ledgerState, own, row, type StoreCase } from './case.ts'

/** Many callers at once. */
export const concurrencyCases: readonly StoreCase[] = [
  {
    promise: 'many writers at once cannot store an event twice',
    ids: ['S0-09', 'G6'],
    async run({ open }) {
      const store = await open()
      const ids = Array.from({ length: 50 }, (_, index) => String(index))
      const writer = async (shift: number) => {
        const statuses: string[] = []
        for (let at = 0; at < ids.length; at++) {
          const [result] = await append(store, event(ids[(at + shift) % ids.length]!))
          statuses.push(result!.status)
        }
        return statuses
      }
      const statuses = (await Promise.all([0, 0, 7, 25].map(writer))).flat()
      assert.equal(statuses.filter((status) => status === 'stored').length, 50)
      assert.equal(statuses.filter((status) => status === 'duplicate').length, 150)
      assert.equal(store.head(), 50)
      assert.equal((await store.read(0, 100)).length, 50)
    },
  },
  {
    promise: 'the events of one commit stand side by side, whoever else writes',
    ids: ['G2'],
    async run({ open }) {
      const store = await open()
      await Promise.all(
        Array.from({ length: 30 }, (_, commit) =>
          append(store, ...[0, 1, 2].map((index) => event(`${commit}-${index}`))),
        ),
      )
      const events = await store.read(0, 100)
      assert.equal(events.length, 90)
      for (let at = 0; at < 90; at += 3) {
        const [commit] = events[at]!.id.split('-')
        assert.deepEqual(
          [events[at]!.id, events[at + 1]!.id, events[at + 2]!.id],
          [0, 1, 2].map((index) => `${commit}-${index}`),
        )
      }
    },
  },
  {
    promise: 'commits of one caller take effect in the order in which they were handed in, without waiting between',
    ids: ['G7', 'G17'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const handedIn = Array.from({ length: 40 }, (_, index) =>
        crm.change(
          { ledger: ledgerState({ examined: index + 1 }), put: [row(1, { attempt: index + 1 })] },
          { events: [event(index)] },
        ),
      )
      const results = await Promise.all(handedIn)
      assert.deepEqual(
        results.map((result) => result.kind === 'ok' && result.events[0]!.sequence),
        Array.from({ length: 40 }, (_, index) => index + 1),
      )
      assert.equal((await store.ledgers())[0]!.examined, 40)
      assert.equal((await store.rows('crm', { limit: 1 }))[0]!.attempt, 40)
    },
  },
  {
    promise: 'of two owners at once, only the newer one writes',
    ids: ['G21'],
    async run({ open }) {
      const store = await open()
      const opened = await Promise.all(['a', 'b', 'c'].map((owner) => store.openLedger('crm', 0, owner, ledgerState())))
      const epochs = opened.map(({ epoch }) => epoch)
      assert.equal(new Set(epochs).size, 3)
      const results = await Promise.all(
        epochs.map((epoch) =>
          commitOne(store, { ledgers: [{ subscription: 'crm', partition: 0, epoch, put: [row(epoch)] }] }),
        ),
      )
      assert.equal(results.filter(({ kind }) => kind === 'ok').length, 1)
      assert.deepEqual(
        (await store.rows('crm', { limit: 9 })).map(({ sequence }) => sequence),
        [Math.max(...epochs)],
      )
    },
  },
  {
    promise: 'a read that follows an answered commit sees it',
    ids: ['G7', 'G3'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      for (let index = 1; index <= 20; index++) {
        await crm.change({ put: [row(index)], remove: [index - 1] })
        assert.deepEqual(
          (await store.rows('crm', { limit: 9 })).map(({ sequence }) => sequence),
          [index],
        )
      }
    },
  },
]
