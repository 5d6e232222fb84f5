import assert from 'node:assert/strict'
import { own, type StoreCase, same } from './case.ts'

/** Events that wait behind their key. */
export const heldCases: readonly StoreCase[] = [
  {
    promise: 'the waiting sequences of a key are kept whole, whatever their gaps',
    ids: ['G8', 'G16'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const far = [2, 3, 4, 900, 1_000_000, 2 ** 40, Number.MAX_SAFE_INTEGER]
      await crm.change({
        hold: [
          { key: 'ü \u0001 k', sequences: far },
          { key: '', sequences: [1] },
        ],
      })
      same(await store.held('crm'), [
        { key: '', sequences: [1] },
        { key: 'ü \u0001 k', sequences: far },
      ])
    },
  },
  {
    promise: 'held sequences are replaced by key, and an empty list removes the key',
    ids: ['G8'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      await crm.change({
        hold: [
          { key: 'a', sequences: [1, 2] },
          { key: 'b', sequences: [3] },
        ],
      })
      await crm.change({
        hold: [
          { key: 'a', sequences: [2, 5] },
          { key: 'b', sequences: [] },
          { key: 'c', sequences: [] },
        ],
      })
      same(await store.held('crm'), [{ key: 'a', sequences: [2, 5] }])
      assert.equal((await store.ledgers())[0]!.openRows, 2)
    },
  },
  {
    promise: 'a subscription sees its own held keys only',
    ids: ['G18'],
    async run({ open }) {
      const store = await open()
      const [crm, mail] = [await own(store, 'crm'), await own(store, 'mail')]
      await crm.change({ hold: [{ key: 'a', sequences: [1] }] })
      await mail.change({ hold: [{ key: 'a', sequences: [2] }] })
      same(await store.held('mail'), [{ key: 'a', sequences: [2] }])
      same(await store.held('nobody'), [])
    },
  },
]
