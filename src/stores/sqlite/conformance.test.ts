import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import type { Store } from '../../plugin/store.ts'
import { runStoreCase, type StoreUnderTest, storeCases, whySkipped } from '../../testing/store-suite.ts'
import { openIn, temporaryFolder } from './fixture.ts'

// S1-36: the same suite runs over every store.
function underTest(): StoreUnderTest {
  const folders = new Map<Store, string>()
  let copies = 0
  const openAt = async (folder: string, platform: Parameters<typeof openIn>[2]): Promise<Store> => {
    const store = await openIn(folder, { dedup: { recentKeys: 64, fanIn: 2 } }, platform)
    folders.set(store, folder)
    return store
  }
  return {
    open: (platform) => openAt(temporaryFolder(), platform),
    reopen: (closed, platform) => openAt(folders.get(closed) ?? '', platform),
    async openCopy(store, platform) {
      const folder = join(folders.get(store) ?? '', `copy-${++copies}`)
      mkdirSync(folder)
      await store.backup(join(folder, 'events.db'))
      return openAt(folder, platform)
    },
  }
}

for (const [behaviour, cases] of Object.entries(storeCases)) {
  describe(behaviour, () => {
    for (const storeCase of cases) {
      const reason = whySkipped(storeCase, underTest())
      test.skipIf(reason !== undefined)(`${storeCase.ids.join(' ')} ${storeCase.promise}`, () =>
        runStoreCase(storeCase, underTest()),
      )
    }
  })
}
