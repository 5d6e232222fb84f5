import { AppError } from '../../core/errors.ts'
import type { Batches } from '../batches.ts'
import type { Lane } from '../lane.ts'

/** What clients of a lane's sink do, where they fetch batches from it. */
export function batchesOf({ name, pull, setup }: Lane): Batches {
  if (pull !== undefined) return pull
  throw new AppError(
    'state-conflict',
    `fetching from ${name} failed: its sink is ${setup.sinkName ?? 'none'}, and only one of type pull is fetched from`,
  )
}
