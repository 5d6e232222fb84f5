import { AppError } from '../../core/errors.ts'
import type { StateReader } from '../../plugin/state.ts'
import type { Store } from '../../plugin/store.ts'
import { onlyStage } from './state.ts'
import { storedState } from './stored.ts'

/** Reads what a stage keeps from a store that somebody only looks at. */
export function stateAtRest<Value>(store: Store, subscription: string, wanted: string | undefined): StateReader<Value> {
  const refuse = async (): Promise<never> => {
    throw new AppError('store-readonly', 'that needs a running pipeline: the store is open for reading only')
  }
  const reader = async () => {
    const stages = await stagesAtRest(store, subscription)
    return storedState<Value>(store, subscription, wanted ?? onlyStage(subscription, stages), async () => undefined)
  }
  return {
    subscription,
    stage: wanted ?? '',
    get: async (key) => (await reader()).get(key),
    list: async (options) => (await reader()).list(options),
    async *entries(options) {
      yield* (await reader()).entries(options)
    },
    settled: refuse,
    at: refuse,
    allAt: refuse,
  }
}

/** The stages that something is kept of; throws for a subscription that the store does not have. */
export async function stagesAtRest(store: Store, subscription: string): Promise<readonly string[]> {
  const known = (await store.ledgers()).some((ledger) => ledger.subscription === subscription)
  if (known) return store.keptStages(subscription)
  throw new AppError(
    'subscription-unknown',
    `the store has no subscription ${JSON.stringify(subscription)}: "millrace subscriptions" lists them`,
  )
}
