import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Platform } from '../../src/core/platform.ts'
import type { Store } from '../../src/plugin/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import type { StoreUnderTest } from '../../src/testing/index.ts'

const memoryUnderTest: StoreUnderTest = {
  open: (platform) => memory.declaration.open({}, { directory: '.', platform }),
}

/** Each store in a folder of its own, which is removed after the test. */
function sqliteUnderTest(): StoreUnderTest {
  const folders = new Map<Store, string>()
  const openAt = async (directory: string, platform: Platform): Promise<Store> => {
    const options = sqlite.declaration.options.parse({ path: 'events.db' })
    const store = await sqlite.declaration.open(options, { directory, platform })
    folders.set(store, directory)
    return store
  }
  const folderOf = (store: Store): string => {
    const folder = folders.get(store)
    if (folder === undefined) throw new Error('this store was not opened here')
    return folder
  }
  return {
    open(platform) {
      const folder = mkdtempSync(join(tmpdir(), 'millrace-conformance-'))
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
      return openAt(folder, platform)
    },
    reopen: (closed, platform) => openAt(folderOf(closed), platform),
    async openCopy(store, platform) {
      const folder = join(folderOf(store), 'copy')
      mkdirSync(folder)
      await store.backup(join(folder, 'events.db'))
      return openAt(folder, platform)
    },
  }
}

/** Every registered store, with how a suite gets at it. */
export const storesUnderTest: Readonly<Record<string, () => StoreUnderTest>> = {
  memory: () => memoryUnderTest,
  sqlite: sqliteUnderTest,
}
