import assert from 'node:assert/strict'
import { fill, type StoreCase } from './case.ts'

/** Positions belong to one life of a store. */
export const incarnationCases: readonly StoreCase[] = [
  {
    promise: 'two stores have two incarnations',
    ids: ['G30'],
    async run({ open }) {
      const [one, other] = [await open(), await open()]
      assert.ok(one.incarnation.length >= 8)
      assert.notEqual(one.incarnation, other.incarnation)
    },
  },
  {
    promise: 'a store that is opened again keeps its incarnation',
    ids: ['G30'],
    needs: ['persistent'],
    async run({ open, reopen }) {
      const store = await open()
      const { incarnation } = store
      assert.equal((await reopen(store)).incarnation, incarnation)
    },
  },
  {
    promise: 'a copy has the events of the original and an incarnation of its own',
    ids: ['G30'],
    needs: ['persistent'],
    async run({ open, openCopy }) {
      const store = await open()
      await fill(store, 50)
      const copy = await openCopy(store)
      assert.notEqual(copy.incarnation, store.incarnation)
      assert.equal(copy.head(), 50)
      await fill(copy, 1, 51)
      assert.equal(store.head(), 50)
      assert.equal((await copy.verify()).ok, true)
    },
  },
]
