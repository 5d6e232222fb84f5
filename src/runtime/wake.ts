import type { DeliveryRow } from '../core/ledger-state.ts'
import type { Call } from './calls.ts'
import type { Lane } from './lane.ts'
import { type RunningStage, type StageEnd, stageFailed } from './stage-run.ts'

/** A step that wakes deliveries, with what the store has of them. */
interface WakingEnd extends StageEnd {
  readonly asleep: Asleep
}

/** Rows as they were read, and which of them changed since. */
export interface Asleep {
  readonly rows: readonly DeliveryRow[]
  readonly changed: Set<number>
}

/**
 * Reads what a step wakes while it is still under way, so that those rows change in one commit with it. A read that fails is
 * a failed attempt of the step.
 */
export function findWoken(
  lane: Lane,
  stage: RunningStage,
  call: Call,
  result: StageEnd | Promise<StageEnd>,
): StageEnd | Promise<StageEnd> {
  if (result instanceof Promise) return result.then((end) => find(lane, stage, call, end))
  return find(lane, stage, call, result)
}

function find(lane: Lane, stage: RunningStage, call: Call, end: StageEnd): StageEnd | Promise<StageEnd> {
  if (end.wake.length === 0) return end
  return lane.due.findAsleep(end.wake).then(
    (asleep): WakingEnd => ({ ...end, asleep }),
    (error: unknown) => stageFailed(stage, call, error),
  )
}

/** The step has ended: what it wakes is due now. */
export function wake(lane: Lane, end: StageEnd | WakingEnd): void {
  if ('asleep' in end) lane.due.wake(end.asleep)
}
