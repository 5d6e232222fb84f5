import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { AppError, messageOf } from '../../core/errors.ts'
import type { CreateContext } from '../define.ts'
import type { Stage, StageResult } from '../stage.ts'
import { NoThreadFree, Pool } from './pool.ts'
import type { Target } from './protocol.ts'
import type { IsolateSetting } from './setting.ts'

/** A call that found no thread free in its time is made again after this; no attempt is counted. */
const again: StageResult = Object.freeze({
  outcome: 'retry',
  isWait: true,
  delay: '1s',
  reason: 'no worker thread was free',
})

interface Shared {
  readonly pool: Pool
  users: number
}

/** By what surrounds the stages of a pipeline, which is one object: pipelines do not share. */
const pools = new WeakMap<CreateContext, Shared>()

/** The threads that a stage is to use, and how it lets go of them: the last one closes them. */
function usePool({ isShared, pool: settings }: IsolateSetting, context: CreateContext) {
  const known = isShared ? pools.get(context) : undefined
  const shared = known ?? { pool: new Pool(settings), users: 0 }
  if (isShared) pools.set(context, shared)
  shared.users += 1
  const { pool } = shared
  return {
    pool,
    async close(): Promise<void> {
      shared.users -= 1
      if (shared.users > 0) return
      if (isShared) pools.delete(context)
      await pool.close()
    },
  }
}

/** A stage that is a function of a file and runs in worker threads; `own` is its second argument. */
export function isolatedStage(file: string, own: unknown, setting: IsolateSetting, context: CreateContext): Stage {
  const target = targetOf(file, context.directory)
  let used: ReturnType<typeof usePool> | undefined
  return {
    async open(around) {
      used = usePool(setting, context)
      try {
        await used.pool.load(target, around)
      } catch (error) {
        throw new AppError('config-invalid', `loading ${file} into a worker thread failed: ${messageOf(error)}`, {
          cause: error,
        })
      }
    },
    async process({ event: { record }, context: state, attempt, now, signal, log }) {
      if (used === undefined) throw new Error('it was not opened')
      try {
        const call = { record, context: state, attempt, now, own }
        return (await used.pool.call(target, call, { signal, log })) as StageResult | undefined
      } catch (error) {
        if (error instanceof NoThreadFree) return again
        throw error
      }
    },
    async close() {
      const closing = used
      used = undefined
      await closing?.close()
    },
  }
}

function targetOf(written: string, directory: string): Target {
  const { file, name } = splitFile(written)
  return { url: file.startsWith('file:') ? file : pathToFileURL(resolve(directory, file)).href, name }
}

/** `./file.ts#name` in its parts; without a name, the default export. */
export function splitFile(written: string): { readonly file: string; readonly name: string } {
  const hash = written.lastIndexOf('#')
  return hash === -1
    ? { file: written, name: 'default' }
    : { file: written.slice(0, hash), name: written.slice(hash + 1) }
}
