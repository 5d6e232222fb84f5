import { describe, expect, test } from 'vitest'
import { builtIn } from '../../src/registry.ts'
import { runStoreCase, storeCases, whySkipped } from '../../src/testing/index.ts'
import { storesUnderTest } from './stores-under-test.ts'

test('every registered store is run through the suite', () => {
  const registered = builtIn.map(({ declaration }) => declaration).filter(({ kind }) => kind === 'store')
  expect(Object.keys(storesUnderTest).sort()).toEqual(registered.map(({ name }) => name).sort())
})

for (const [name, underTest] of Object.entries(storesUnderTest)) {
  describe(`the ${name} store`, () => {
    for (const [behaviour, cases] of Object.entries(storeCases)) {
      describe(behaviour, () => {
        for (const storeCase of cases) {
          const reason = whySkipped(storeCase, underTest())
          if (reason === undefined) test(storeCase.promise, () => runStoreCase(storeCase, underTest()))
          else test.skip(`${storeCase.promise} (skipped: ${reason})`, () => undefined)
        }
      })
    }
  })
}
