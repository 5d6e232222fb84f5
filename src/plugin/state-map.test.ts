import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSourceContext } from '../testing/plugin-context.ts'
import { openStateMap, type StateChange } from './state-map.ts'

test('a map comes back as it was written', async () => {
  const { state } = createSourceContext()
  const map = await openStateMap(state, 'map:')
  await state.set('other', 'stays')
  await map.write([
    ['a', '1'],
    ['b', '2'],
  ])
  await map.write([
    ['a', undefined],
    ['c', '3'],
  ])
  const again = await openStateMap(state, 'map:')
  expect([...again.entries]).toEqual([
    ['b', '2'],
    ['c', '3'],
  ])
  expect(await state.get('other')).toBe('stays')
})

test('what is stale is cleared away: the space does not grow with the number of writes', async () => {
  const { state } = createSourceContext()
  const map = await openStateMap(state, 'map:')
  for (let n = 0; n < 2000; n++) await map.write([['same', `value ${n}`]])
  expect((await state.list()).length).toBeLessThan(300)
  expect([...(await openStateMap(state, 'map:')).entries]).toEqual([['same', 'value 1999']])
})

test('a crash before any of its steps leaves the map as it was before or after the write', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 700 }), async (crashAt) => {
      const { state } = createSourceContext()
      let steps = 0
      const step = <Args extends unknown[], T>(run: (...args: Args) => Promise<T>) => {
        return async (...args: Args): Promise<T> => {
          if (steps++ >= crashAt) throw new Error('killed')
          return await run(...args)
        }
      }
      const dying = { ...state, set: step(state.set), delete: step(state.delete) }
      const map = await openStateMap(dying, 'm')
      const model = new Map<string, string>()
      let asked: StateChange[] = []
      try {
        for (let n = 0; n < 400; n++) {
          asked = [
            [`k${n % 7}`, n % 5 === 0 ? undefined : `${n}`],
            [`n${n}`, 'new'],
            [`n${n - 3}`, undefined],
          ]
          await map.write(asked)
          for (const [key, value] of asked) value === undefined ? model.delete(key) : model.set(key, value)
        }
        asked = []
      } catch {
        // Killed: what was asked for last may be there or not.
      }
      const after = new Map(model)
      for (const [key, value] of asked) value === undefined ? after.delete(key) : after.set(key, value)
      const back = Object.fromEntries((await openStateMap(state, 'm')).entries)
      expect([Object.fromEntries(model), Object.fromEntries(after)]).toContainEqual(back)
    }),
    { numRuns: 60 },
  )
})

test('old values that could not be removed do not come back', async () => {
  const { state } = createSourceContext()
  let deletes = 0
  const lossy = { ...state, delete: async (key?: string) => (deletes++ % 3 === 0 ? undefined : state.delete(key)) }
  const map = await openStateMap(lossy, 'm')
  for (let n = 0; n < 300; n++) {
    await map.write([
      [`k${n}`, 'there'],
      [`k${n - 1}`, undefined],
    ])
  }
  expect(deletes).toBeGreaterThan(200)
  expect([...(await openStateMap(state, 'm')).entries]).toEqual([['k299', 'there']])
})
