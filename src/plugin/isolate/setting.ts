import { availableParallelism } from 'node:os'
import { schema } from '../schema.ts'
import { count, size } from '../values.ts'
import type { PoolSettings } from './pool.ts'

const mib = 1024 * 1024
/** A thread needs about 4 MiB of it to run at all. */
const leastMemory = 16 * mib
/** Threads of the pool that all stages with `isolate: true` share; each costs about 10 MiB. */
const sharedWorkers = Math.min(8, availableParallelism())
const defaultMemoryMb = 512

/** The setting `isolate` of a stage; checked, it is undefined where the stage runs in this thread. */
export const isolateSetting = schema
  .union(
    [
      schema.boolean(),
      schema.strictObject({
        workers: count(
          'Threads of its own, at most. Default: it shares those of the other isolated stages.',
        ).optional(),
        memory: size('Memory of each thread for objects; one that needs more ends. Default: 512MiB.')
          .refine((bytes) => bytes >= leastMemory, { error: 'too small: at least 16MiB' })
          .optional(),
      }),
    ],
    { error: 'true, or { workers: 2, memory: 512MiB } is needed' },
  )
  .transform((written): IsolateSetting | undefined => {
    if (typeof written === 'boolean') return written ? { isShared: true, pool: poolOf({}) } : undefined
    return { isShared: false, pool: poolOf(written) }
  })
  .describe(
    'For a function of a file: true runs it in worker threads, so that one that computes long, or crashes, cannot stop the process. Default: false.',
  )

export type IsolateInput = schema.input<typeof isolateSetting>

/** Where an isolated stage runs: in the threads that all share, or in its own. */
export interface IsolateSetting {
  readonly isShared: boolean
  readonly pool: PoolSettings
}

interface Written {
  readonly workers?: number | undefined
  readonly memory?: number | undefined
}

function poolOf({ workers = sharedWorkers, memory }: Written): PoolSettings {
  return { workers, memoryMb: memory === undefined ? defaultMemoryMb : Math.floor(memory / mib) }
}
