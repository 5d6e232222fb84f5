import { type LedgerRecord, type LedgerState, noCounters } from '../core/ledger-state.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import type { EngineSetup } from './setup.ts'

/** Takes the frontier's ledger and one for each subscription; new ones begin where their policy says. */
export async function openLedgers(store: Store, setup: EngineSetup): Promise<Map<string, LedgerRecord>> {
  const initial = (at: number): LedgerState => ({
    start: at,
    examined: at,
    follows: false,
    pending: [],
    counters: noCounters,
    state: 'running',
  })
  const wanted = [{ subscription: frontierLedger, partition: 0, initial: initial(store.head()) }]
  for (const { policy } of setup.subscriptions) {
    wanted.push({ subscription: policy.name, partition: 0, initial: initial(await startAt(store, policy)) })
  }
  const records = await store.openLedgers(wanted, setup.platform.id())
  return new Map(records.map((record) => [record.subscription, record]))
}

/** The sequence after which a new subscription begins. */
async function startAt(store: Store, { start }: SubscriptionPolicy): Promise<number> {
  switch (start.kind) {
    case 'now':
      return store.head()
    case 'beginning':
      return store.oldest() - 1
    case 'sequence':
      return Math.max(0, Math.min(start.sequence - 1, store.head()))
    case 'time':
      return (await store.sequenceAt(start.timeMs)) - 1
  }
}
