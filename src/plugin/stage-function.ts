import type { Stage, StageSettings } from './stage.ts'

/** What a stage in code does: see `Stage.process`. */
export type StageFunction = Stage['process']

/** A stage given as a function, as `stage()` makes it. */
export interface FunctionStage {
  readonly kind: 'function-stage'
  readonly name: string
  readonly process: StageFunction
  readonly settings: StageSettings
}

/** A checked stage of a subscription: what the runtime opens and calls. */
export interface StageUse {
  /** Its identity: contexts and attempts of open deliveries are stored under it. */
  readonly name: string
  /** Calls at a time at most. */
  readonly concurrency: number
  /** Deliveries that may wait in front of it. */
  readonly buffer: number
  /** Absent: the subscription's timeout. */
  readonly timeoutMs?: number | undefined
  /** True when it runs code of the user in this process: such deliveries can be suspects after a crash. */
  readonly runsUserCode: boolean
  /** Makes the stage. Called once per start. */
  create(): Promise<Stage>
}

/** A step of a subscription, written in code: `stage('enrich', async ({ event }) => …, { concurrency: 10 })`. */
export function stage(name: string, process: StageFunction, settings: StageSettings = {}): FunctionStage {
  return Object.freeze({ kind: 'function-stage', name, process, settings })
}

/** True for what `stage()` made, also by another copy of the package. */
export function isFunctionStage(value: unknown): value is FunctionStage {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'function-stage'
}
