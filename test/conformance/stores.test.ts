import { describe, expect, test } from 'vitest'
import { builtIn } from '../../src/registry.ts'
import { runStoreCase, storeCases, whySkipped } from '../../src/testing/index.ts'
import { createSkips } from './skips.ts'
import { storesUnderTest } from './stores-under-test.ts'

const skips = createSkips()

test('every registered store is run through the suite', () => {
  const registered = builtIn.map(({ declaration }) => declaration).filter(({ kind }) => kind === 'store')
  expect(Object.keys(storesUnderTest).sort()).toEqual(registered.map(({ name }) => name).sort())
})

// S1-36
for (const [name, underTest] of Object.entries(storesUnderTest)) {
  describe(`the ${name} store`, () => {
    for (const [behaviour, cases] of Object.entries(storeCases)) {
      describe(behaviour, () => {
        for (const storeCase of cases) {
          test(storeCase.promise, async ({ skip }) => {
            const under = underTest()
            const reason = whySkipped(storeCase, under)
            if (reason !== undefined) {
              skips.add(`the ${name} store`, storeCase.promise, reason)
              skip(reason)
            }
            await runStoreCase(storeCase, under)
          })
        }
      })
    }
  })
}
