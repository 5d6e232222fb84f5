import { randomSteps, runStoreSteps } from '../store-model.ts'
import { createRandom } from '../virtual-platform.ts'
import type { StoreCase } from './case.ts'

/** Long random runs against a simple model. A failing seed is run again by its number. */
export const modelCases: readonly StoreCase[] = [1, 2, 3].map((seed) => ({
  promise: `after any run of commits, take-overs, pruning and openings, the store holds what a simple model holds (seed ${seed})`,
  ids: ['G2', 'G6', 'G9', 'G21', 'G29'],
  run: ({ open, reopen, canReopen }) =>
    runStoreSteps(open, randomSteps(createRandom(seed), 80), canReopen ? reopen : undefined),
}))
