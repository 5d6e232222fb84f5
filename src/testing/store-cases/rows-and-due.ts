import assert from 'node:assert/strict'
import { dueToClient } from '../../core/ledger-state.ts'
import { event, own, row, type StoreCase, same, sequencesOf } from './case.ts'

/** Deliveries that are remembered on their own. */
export const rowCases: readonly StoreCase[] = [
  {
    promise: 'a row comes back with everything it was given',
    ids: ['K6', 'G19'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const full = row(3, {
        state: 'leased',
        dueAt: 1_790_000_000_123,
        key: 'order-42 ü',
        done: ['enrich', 'score'],
        attempt: 4,
        deaths: 1,
        context: '{"tier":"gold"}',
        event: event(3, { data: '{"replaced":true}', meta: '{"a":1}' }),
        attempts: [
          { at: 5, durationMs: 1.5, step: 'enrich', outcome: 'retry', reason: 'busy', detail: { status: 503 } },
        ],
        redriven: 2,
        batch: 'b-1',
      })
      await crm.change({ put: [full, row(4)] })
      same(await store.rows('crm', { limit: 10 }), [full, row(4)])
    },
  },
  {
    promise: 'a row put again replaces the one before, a removed one is gone, and one that never was does not matter',
    ids: ['S1-71', 'G14'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ put: [row(1, { context: '{}', attempt: 2 }), row(2)] })
      await crm.change({ put: [row(1, { attempt: 3 })], remove: [2, 77] })
      same(await store.rows('crm', { limit: 10 }), [row(1, { attempt: 3 })])
    },
  },
  {
    promise: 'without a time, rows come in order of sequence and are paged by it',
    ids: ['G17'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ put: [row(9, { dueAt: 1 }), row(2, { dueAt: 3 }), row(5, { dueAt: 2 })] })
      assert.deepEqual(sequencesOf(await store.rows('crm', { limit: 2 })), [2, 5])
      assert.deepEqual(sequencesOf(await store.rows('crm', { after: 5, limit: 2 })), [9])
    },
  },
  {
    promise: 'with a time, rows that are due come by due time, and no other',
    ids: ['G19', 'S1-63'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({
        put: [
          row(1, { dueAt: 300 }),
          row(2, { dueAt: 100 }),
          row(3, { dueAt: 200, state: 'leased' }),
          row(4, { dueAt: 301 }),
          row(5, { dueAt: 100 }),
        ],
      })
      assert.deepEqual(sequencesOf(await store.rows('crm', { dueBefore: 300, limit: 10 })), [2, 5, 3, 1])
      assert.deepEqual(sequencesOf(await store.rows('crm', { dueBefore: 300, limit: 2 })), [2, 5])
      assert.deepEqual(sequencesOf(await store.rows('crm', { dueBefore: 99, limit: 10 })), [])
    },
  },
  {
    promise: 'rows can be asked for between two times, and those of one time are paged by sequence',
    ids: ['G23'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const far = { dueAt: dueToClient, state: 'leased' } as const
      await crm.change({ put: [row(1, { dueAt: 300 }), row(2, far), row(3, { dueAt: 900 }), row(4, far), row(5, far)] })
      const between = { dueFrom: dueToClient, dueBefore: dueToClient }
      assert.deepEqual(sequencesOf(await store.rows('crm', { ...between, limit: 2 })), [2, 4])
      assert.deepEqual(sequencesOf(await store.rows('crm', { ...between, after: 4, limit: 2 })), [5])
      assert.deepEqual(sequencesOf(await store.rows('crm', { dueFrom: 301, dueBefore: 900, limit: 9 })), [3])
      assert.equal((await store.rows('crm', { sequences: [2], limit: 1 }))[0]!.dueAt, dueToClient)
    },
  },
  {
    promise: 'rows can be asked for by sequence',
    ids: ['G23'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ put: [row(1), row(2), row(3)] })
      assert.deepEqual(sequencesOf(await store.rows('crm', { sequences: [3, 1, 8, 3], limit: 10 })), [1, 3])
      assert.deepEqual(await store.rows('crm', { sequences: [], limit: 10 }), [])
    },
  },
  {
    promise: 'the next due time is the earliest of waiting and leased rows',
    ids: ['G19'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      assert.equal(await store.nextDue('crm'), undefined)
      await crm.change({ put: [row(1, { dueAt: 500 }), row(2, { dueAt: 400, state: 'leased' })] })
      assert.equal(await store.nextDue('crm'), 400)
      await crm.change({ remove: [2] })
      assert.equal(await store.nextDue('crm'), 500)
      await crm.change({ put: [row(1, { dueAt: 900 })] })
      assert.equal(await store.nextDue('crm'), 900)
    },
  },
  {
    promise: 'a subscription sees its own rows only, and an unknown one none',
    ids: ['G18'],
    async run({ open }) {
      const store = await open()
      const [crm, mail] = [await own(store, 'crm'), await own(store, 'mail')]
      await crm.change({ put: [row(1)] })
      await mail.change({ put: [row(1, { attempt: 7 }), row(2)] })
      assert.deepEqual(sequencesOf(await store.rows('crm', { limit: 10 })), [1])
      assert.deepEqual(sequencesOf(await store.rows('mail', { limit: 10 })), [1, 2])
      assert.deepEqual(await store.rows('nobody', { limit: 10 }), [])
      assert.equal(await store.nextDue('nobody'), undefined)
    },
  },
]
