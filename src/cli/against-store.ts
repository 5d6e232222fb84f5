import { existsSync } from 'node:fs'
import { hasLedger } from '../plugin/pipeline-config.ts'
import { compareWithStore } from '../runtime/against-store.ts'
import type { SubscriptionChange } from '../runtime/changes.ts'
import { openStoreForReading, storePath } from './api.ts'
import { type Settings, urlOf } from './settings.ts'

/** What a configuration changes for the deliveries of its store, or why there is nothing to compare with. */
export type StoreComparison =
  | { readonly kind: 'compared'; readonly store: string; readonly changes: readonly SubscriptionChange[] }
  | { readonly kind: 'nothing'; readonly message: string }

/** Compares a configuration with its store, which may be open elsewhere: it is only read. */
export async function againstStore(settings: Settings): Promise<StoreComparison> {
  const { plan } = settings
  const path = storePath(settings)
  if (path === undefined)
    return {
      kind: 'nothing',
      message: `the store ${plan.store.declaration.name} lives only inside its process: every start begins anew`,
    }
  if (!existsSync(path))
    return { kind: 'nothing', message: `there is no store yet (${path}): the first start makes it` }
  const store = await openStoreForReading(settings, urlOf(plan.server.host, plan.server.port))
  try {
    const configured = plan.subscriptions.filter(hasLedger).map(({ policy, stages, sink }) => ({
      policy,
      stages: stages.map(({ name }) => name),
      sink: sink?.declaration.name,
    }))
    return {
      kind: 'compared',
      store: path,
      changes: await compareWithStore(store, configured, await store.ledgers(), true),
    }
  } finally {
    await store.close()
  }
}
