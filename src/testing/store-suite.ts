import type { Platform } from '../core/platform.ts'
import type { Store } from '../plugin/store.ts'
import type { StoreCase, StoreNeed } from './store-cases/case.ts'
import { createVirtualPlatform } from './virtual-platform.ts'

export type { StoreCase, StoreCaseContext, StoreNeed } from './store-cases/case.ts'
export { storeCases } from './store-cases/index.ts'

/** How the suite gets at the store that it examines. */
export interface StoreUnderTest {
  /** Opens a new, empty store that takes time, random numbers and ids from `platform`. */
  open(platform: Platform): Promise<Store>
  /** Opens again what a store, now closed, has kept. Absent: nothing survives closing. */
  reopen?(closed: Store, platform: Platform): Promise<Store>
  /** Copies an open store with its `backup` and opens the copy. Needed where `reopen` is there. */
  openCopy?(store: Store, platform: Platform): Promise<Store>
  readonly atomic?: Store['capabilities']['atomic'] | undefined
}

/** Why a case says nothing about a store; undefined when it is to be run. */
export function whySkipped({ needs = [] }: StoreCase, under: StoreUnderTest): string | undefined {
  const reasons: Readonly<Record<StoreNeed, string | undefined>> = {
    persistent: under.reopen === undefined ? 'the store keeps nothing after closing' : undefined,
    'not-persistent': under.reopen === undefined ? undefined : 'the store keeps its data',
    'atomic-commit': under.atomic === 'rows-then-floor' ? 'the store writes rows first, then the ledger' : undefined,
  }
  return needs.map((need) => reasons[need]).find((reason) => reason !== undefined)
}

/** Runs one case. Throws an `AssertionError` when the promise is broken; closes what it opened. */
export async function runStoreCase(storeCase: StoreCase, under: StoreUnderTest): Promise<void> {
  const platform = createVirtualPlatform()
  const opened = new Set<Store>()
  const remember = async (opening: Promise<Store> | undefined, what: string): Promise<Store> => {
    if (opening === undefined) throw new Error(`the case needs \`${what}\`, which the store under test does not have`)
    const store = await opening
    opened.add(store)
    return store
  }
  try {
    await storeCase.run({
      platform,
      canReopen: under.reopen !== undefined,
      open: () => remember(under.open(platform), 'open'),
      async reopen(store) {
        await store.close()
        return remember(under.reopen?.(store, platform), 'reopen')
      },
      openCopy: (store) => remember(under.openCopy?.(store, platform), 'openCopy'),
    })
  } finally {
    for (const store of opened) await store.close()
  }
}
