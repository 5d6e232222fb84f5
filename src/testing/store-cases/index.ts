import { appendCases } from './append.ts'
import { batchCases } from './batches.ts'
import type { StoreCase } from './case.ts'
import { commitAtomicityCases } from './commit-atomicity.ts'
import { concurrencyCases } from './concurrency.ts'
import { cursorCases } from './cursors-and-state.ts'
import { deadCases } from './dead.ts'
import { dedupCases } from './dedup.ts'
import { heldCases } from './held.ts'
import { historyCases } from './history.ts'
import { incarnationCases } from './incarnation.ts'
import { keptCases } from './kept.ts'
import { ledgerCases } from './ledgers.ts'
import { lifecycleCases } from './lifecycle.ts'
import { modelCases } from './model.ts'
import { payloadCases } from './payloads.ts'
import { pruneCases } from './prune.ts'
import { queryCases } from './query.ts'
import { readingCases } from './reading.ts'
import { replacingCases } from './replacing.ts'
import { rowCases } from './rows-and-due.ts'
import { streamCases } from './streams.ts'

/** Every promise of a store, by behaviour. */
export const storeCases: Readonly<Record<string, readonly StoreCase[]>> = {
  append: appendCases,
  deduplication: dedupCases,
  'commit atomicity': commitAtomicityCases,
  ledgers: ledgerCases,
  'rows and due times': rowCases,
  'dead letters': deadCases,
  'held keys': heldCases,
  'batches of pull clients': batchCases,
  'values that stages keep': keptCases,
  'ledgers that replace others': replacingCases,
  history: historyCases,
  'cursors and state': cursorCases,
  reading: readingCases,
  search: queryCases,
  streams: streamCases,
  pruning: pruneCases,
  incarnation: incarnationCases,
  lifecycle: lifecycleCases,
  payloads: payloadCases,
  concurrency: concurrencyCases,
  'a simple model': modelCases,
}
