import type { Call } from './calls.ts'
import type { Flight } from './flight.ts'
import type { LaneSetup } from './lane-setup.ts'
import { type RunningStage, runStage, type StageEnd, stageFailed } from './stage-run.ts'

/** Runs a stage with what it keeps for the event, where it keeps anything; `keepOf` gives the key back. */
export function runKeyed(
  stage: RunningStage,
  flight: Flight,
  call: Call,
  setup: LaneSetup,
): StageEnd | Promise<StageEnd> {
  const key = stage.kept === undefined ? undefined : stage.stage.keyOf?.(flight)
  if (key === undefined) return runStage(stage, flight, call, setup)
  const kept = stage.kept!.acquire(key)
  flight.keptKey = key
  if (!(kept instanceof Promise)) return runStage(stage, flight, call, setup, kept.value)
  return kept.then(
    ({ value }) => runStage(stage, flight, call, setup, value),
    (error: unknown) => {
      flight.keptKey = undefined
      return stageFailed(stage, call, error)
    },
  )
}

/** The step has ended: what the stage keeps changes in the same breath as the delivery, so that one commit has both. */
export function keepOf({ kept }: RunningStage, flight: Flight, { outcome: { outcome }, keep }: StageEnd): void {
  const key = flight.keptKey
  if (key === undefined || kept === undefined) return
  flight.keptKey = undefined
  if (keep !== undefined && (outcome === 'ack' || outcome === 'discard')) kept.set(key, keep)
  kept.release(key)
}
