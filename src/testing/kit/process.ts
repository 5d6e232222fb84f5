import { setImmediate } from 'node:timers'
import { AppError } from '../../core/errors.ts'
import type { Log, Platform } from '../../core/platform.ts'
import { pipelineFromPlan } from '../../pipeline.ts'
import type { Store } from '../../plugin/store.ts'
import type { Pipeline } from '../../runtime/api.ts'
import { type ProcessStore, storeBehind } from './doors.ts'
import type { Faults } from './faults.ts'
import { createLife } from './life.ts'
import { catalogueBehind, planBehind, type TestPlan } from './plan.ts'
import type { UnderWay } from './under-way.ts'

/** What the processes of one test share. */
export interface Shared {
  readonly made: TestPlan
  readonly platform: Platform
  readonly log: Log
  readonly store: Store
  readonly faults: Faults
  readonly underWay: UnderWay
}

/** One process of a test pipeline: a pipeline of its own on the store that all of them share. */
export interface Process {
  readonly pipeline: Pipeline
  readonly hasCrashed: boolean
  /** Resolves at the crash. */
  readonly crashed: Promise<void>
  /** Commits handed to the store so far. */
  readonly commits: number
  crash(): void
  /** Closes what a crashed process has left open. */
  release(): Promise<void>
  /** Calls a method of the pipeline; when the process crashes first, throws that the answer was lost. */
  call(doing: string, run: (pipeline: Pipeline) => unknown): unknown
  /** The same for every method of something that the pipeline handed out, or of the pipeline. */
  through<T extends object>(target: T): T
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Methods of a pipeline that answer no promise. */
const answersAtOnce = new Set<string>(['emit', 'stats', 'view', 'batches'] satisfies readonly (keyof Pipeline)[])

/** Coarser than in production: over three days, most of the time would go into looking. */
const upkeepMs = 1_800_000

/** Makes a process; its pipeline is not started. */
export function createProcess({ made, platform, log, store: shared, faults, underWay }: Shared): Process {
  const life = createLife(platform, log)
  const doors = { life, faults, underWay }
  const store: ProcessStore = storeBehind(shared, doors)
  const { store: use, ...plan } = planBehind(made.plan, doors)
  const opened = { ...use, declaration: { ...use.declaration, open: async () => store } }
  const pipeline = pipelineFromPlan(
    { ...plan, store: opened },
    {
      log: life.log,
      platform: life.platform,
      directory: made.directory,
      catalogue: catalogueBehind(made.catalogue, doors),
      // What is put back by itself comes back as soon as it would elsewhere.
      upkeepMs: plan.subscriptions.some(({ policy }) => policy.dead.redrive !== undefined) ? undefined : upkeepMs,
    },
  )
  // What was stored before the crash is answered: one turn later every such answer has come.
  const lost = (doing: string) =>
    life.crashed.then(nextTurn).then(() => {
      throw new AppError('store-indeterminate', `${doing} failed: the process crashed before it was answered`)
    })
  const call = (doing: string, run: (pipeline: Pipeline) => unknown): unknown => {
    if (!life.isRunning) {
      const error = new AppError('state-conflict', `${doing} failed: the process has crashed; call restart() first`)
      if (answersAtOnce.has(doing)) throw error
      return Promise.reject(error)
    }
    const answer = run(pipeline)
    return answer instanceof Promise ? Promise.race([answer, lost(doing)]) : answer
  }
  return {
    pipeline,
    get hasCrashed() {
      return !life.isRunning
    },
    crashed: life.crashed,
    get commits() {
      return store.commits
    },
    crash: () => life.crash(),
    async release() {
      life.release()
      await pipeline.stop({ deadline: '0ms' })
      life.end()
    },
    call,
    through: (target) =>
      new Proxy(target, {
        get(_, name) {
          const value: unknown = Reflect.get(target, name, target)
          if (typeof value !== 'function') return value
          return (...args: unknown[]) => call(String(name), () => Reflect.apply(value, target, args))
        },
      }),
  }
}
