import { describe, test } from 'vitest'
import type { Platform } from '../../src/core/platform.ts'
import { memory } from '../../src/stores/memory.ts'
import { runStoreCase, type StoreUnderTest, storeCases, whySkipped } from '../../src/testing/index.ts'

const openMemory = (platform: Platform) => memory.declaration.open({}, { directory: '.', platform })

const stores: Readonly<Record<string, StoreUnderTest>> = {
  memory: { open: openMemory },
}

for (const [name, under] of Object.entries(stores)) {
  describe(`the ${name} store`, () => {
    for (const [behaviour, cases] of Object.entries(storeCases)) {
      describe(behaviour, () => {
        for (const storeCase of cases) {
          const reason = whySkipped(storeCase, under)
          if (reason === undefined) test(storeCase.promise, () => runStoreCase(storeCase, under))
          else test.skip(`${storeCase.promise} (skipped: ${reason})`, () => undefined)
        }
      })
    }
  })
}
