import { AppError } from '../core/errors.ts'
import { isSubscriptionLedger } from '../core/ledger-name.ts'
import { type LedgerRecord, type LedgerState, noCounters } from '../core/ledger-state.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import { frontierLedger, type Store } from '../plugin/store.ts'
import type { EngineSetup } from './setup.ts'

/** Takes the frontier's ledger and one for each subscription; new ones begin where their policy says. */
export async function openLedgers(store: Store, setup: EngineSetup): Promise<Map<string, LedgerRecord>> {
  const wanted = [{ subscription: frontierLedger, partition: 0, initial: newLedger(store.head(), false) }]
  for (const { policy, isPaused, foldVersion } of setup.subscriptions) {
    const initial = newLedger(await startAt(store, policy), isPaused, foldVersion)
    wanted.push({ subscription: policy.name, partition: 0, initial })
  }
  const records = await store
    .openLedgers(wanted, setup.platform.id())
    .catch((error: unknown) => asTheyAre(store, wanted, error))
  return new Map(records.map((record) => [record.subscription, record]))
}

/** A ledger that begins after a sequence. */
export function newLedger(at: number, isPaused: boolean, foldVersion?: string): LedgerState {
  return {
    start: at,
    examined: at,
    follows: false,
    pending: [],
    counters: noCounters,
    state: isPaused ? 'paused' : 'running',
    ...(foldVersion !== undefined && { foldVersion }),
  }
}

/** The sequence after which a new subscription begins. */
export async function startAt(store: Store, { start }: SubscriptionPolicy): Promise<number> {
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

/**
 * Ledgers that the configuration does not name keep their place: one that travelled with the frontier stays where that
 * is now, and does not go on with it.
 */
export async function retire(
  store: Store,
  named: ReadonlySet<string>,
  frontier: number,
  owner: string,
): Promise<LedgerRecord[]> {
  const retired: LedgerRecord[] = []
  for (const record of await store.ledgers()) {
    const { subscription: name } = record
    if (name === frontierLedger || named.has(name) || !isSubscriptionLedger(name)) continue
    if (!record.follows) {
      retired.push(record)
      continue
    }
    const ledger = { ...record, follows: false, examined: Math.max(record.examined, frontier) }
    retired.push({ ...record, follows: false, examined: ledger.examined })
    try {
      const { subscription, partition, epoch } = await store.openLedger(
        record.subscription,
        record.partition,
        owner,
        ledger,
      )
      await store.commit([{ ledgers: [{ subscription, partition, epoch, ledger }] }])
    } catch (error) {
      if (!isReadOnly(error)) throw error
    }
  }
  return retired
}

/** A store open for reading only: its ledgers as they are stored, and those that are not as they would begin. */
async function asTheyAre(
  store: Store,
  wanted: readonly { readonly subscription: string; readonly partition: number; readonly initial: LedgerState }[],
  error: unknown,
): Promise<readonly LedgerRecord[]> {
  if (!isReadOnly(error)) throw error
  const stored = new Map((await store.ledgers()).map((record) => [record.subscription, record]))
  return wanted.map(({ subscription, partition, initial }) => {
    return (
      stored.get(subscription) ?? { ...initial, subscription, partition, epoch: 0, owner: '', openRows: 0, deadRows: 0 }
    )
  })
}

function isReadOnly(error: unknown): boolean {
  return error instanceof AppError && error.code === 'store-readonly'
}
