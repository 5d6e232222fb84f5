import assert from 'node:assert/strict'
import { commitOne, type StoreCase, same } from './case.ts'

/** What sources keep. */
export const cursorCases: readonly StoreCase[] = [
  {
    promise: 'a cursor is the last one committed, per source, and may be any text',
    ids: ['S1-07'],
    async run({ open }) {
      const store = await open()
      assert.equal(await store.cursor('shop'), undefined)
      await commitOne(store, { cursor: { source: 'shop', value: 'a' } })
      await commitOne(store, { cursor: { source: 'other', value: '' } })
      await commitOne(store, { cursor: { source: 'shop', value: '{"page":2,"ü":"\\u0000"}' } })
      assert.equal(await store.cursor('shop'), '{"page":2,"ü":"\\u0000"}')
      assert.equal(await store.cursor('other'), '')
    },
  },
  {
    promise: "a source's keys are set, replaced, listed by prefix and deleted",
    ids: [],
    async run({ open }) {
      const { state } = await open()
      assert.equal(await state.get('shop', 'a'), undefined)
      await state.set('shop', 'b/1', 'one')
      await state.set('shop', 'a', 'x')
      await state.set('shop', 'a', 'y')
      await state.set('shop', 'b/2', 'two')
      await state.set('shop', 'b%_', 'wild')
      assert.equal(await state.get('shop', 'a'), 'y')
      same(await state.list('shop', 'b/'), [
        { key: 'b/1', value: 'one' },
        { key: 'b/2', value: 'two' },
      ])
      same(
        (await state.list('shop', 'b%')).map(({ key }) => key),
        ['b%_'],
        'a prefix is not a pattern',
      )
      same(
        (await state.list('shop')).map(({ key }) => key),
        ['a', 'b%_', 'b/1', 'b/2'],
      )
      await state.delete('shop', 'b/1')
      await state.delete('shop', 'not there')
      assert.equal((await state.list('shop')).length, 3)
      await state.delete('shop')
      same(await state.list('shop'), [])
    },
  },
  {
    promise: 'sources do not see the keys of one another',
    ids: [],
    async run({ open }) {
      const { state } = await open()
      await state.set('a', 'k', '1')
      await state.set('b', 'k', '2')
      await state.delete('a')
      assert.equal(await state.get('a', 'k'), undefined)
      assert.equal(await state.get('b', 'k'), '2')
    },
  },
  {
    promise: 'old keys are deleted by the time they were last set',
    ids: [],
    async run({ open, platform }) {
      const { state } = await open()
      await state.set('shop', 'old', '1')
      await state.set('shop', 'renewed', '1')
      await state.set('other', 'old', '1')
      await platform.advance(1000)
      const limit = platform.clock.now()
      await state.set('shop', 'renewed', '2')
      assert.equal(await state.deleteOlderThan('shop', limit), 1)
      same(
        (await state.list('shop')).map(({ key }) => key),
        ['renewed'],
      )
      assert.equal(await state.get('other', 'old'), '1')
    },
  },
]
