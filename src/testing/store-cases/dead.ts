import assert from 'node:assert/strict'
import { deadRow, event, fill, own, pruneWholly, row, type StoreCase, same, sequencesOf } from './case.ts'

/** Deliveries that were given up. */
export const deadCases: readonly StoreCase[] = [
  {
    promise: 'a dead letter comes back with its event, reason and attempts',
    ids: ['G20'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const full = deadRow(7, {
        key: 'order-42',
        context: '{"a":1}',
        redriven: 1,
        event: { ...event(7, { data: '{"big":90071992547409930}' }), sequence: 7, appendedAt: 12 },
      })
      await crm.change({ bury: [full] })
      same(await store.dead('crm', { limit: 10 }), [full])
    },
  },
  {
    promise: 'a row dies in one commit: open row gone, dead letter there',
    ids: ['G14', 'G20'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({ put: [row(3)] })
      await crm.change({ remove: [3], bury: [deadRow(3)] })
      const [ledger] = await store.ledgers()
      same([ledger!.openRows, ledger!.deadRows], [0, 1])
      await crm.change({ unbury: [3], put: [row(3, { redriven: 1 })] })
      const [redriven] = await store.ledgers()
      same([redriven!.openRows, redriven!.deadRows], [1, 0])
      assert.deepEqual(await store.dead('crm', { limit: 10 }), [])
    },
  },
  {
    promise: 'dead letters come in order of sequence, paged, and narrowed by sequence, type and time',
    ids: ['G20'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const typed = (sequence: number, type: string, diedAt: number) =>
        deadRow(sequence, { diedAt, event: { ...event(sequence, { type }), sequence, appendedAt: 1 } })
      await crm.change({ bury: [typed(5, 'order.paid', 50), typed(1, 'order.placed', 10), typed(3, 'user.added', 30)] })
      const find = async (query: object) => sequencesOf(await store.dead('crm', { limit: 10, ...query }))
      assert.deepEqual(await find({}), [1, 3, 5])
      assert.deepEqual(await find({ limit: 2 }), [1, 3])
      assert.deepEqual(await find({ after: 3 }), [5])
      assert.deepEqual(await find({ sequences: [5, 1, 9] }), [1, 5])
      assert.deepEqual(await find({ type: ['order.*'] }), [1, 5])
      assert.deepEqual(await find({ type: ['user.added'] }), [3])
      assert.deepEqual(await find({ diedBefore: 30 }), [1])
      assert.deepEqual(await find({ type: ['order.*'], after: 1, sequences: [1, 3, 5] }), [5])
    },
  },
  {
    promise: 'a dead letter outlives the event in the log',
    ids: ['G20', 'G29'],
    async run({ open }) {
      const store = await open()
      await fill(store, 3)
      const crm = await own(store)
      await crm.change({ bury: [deadRow(2)] })
      await pruneWholly(store, { events: 3 })
      assert.deepEqual(await store.readMany([2]), [])
      same((await store.dead('crm', { limit: 10 }))[0]!.event, deadRow(2).event)
    },
  },
]
