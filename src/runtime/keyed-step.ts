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
  const { kept: values } = stage
  if (values === undefined) return runStage(stage, flight, call, setup)
  let key: string | undefined
  try {
    key = keyFor(stage, flight)
  } catch (error) {
    return stageFailed(stage, call, error)
  }
  if (key === undefined) return runStage(stage, flight, call, setup)
  const kept = values.acquire(key)
  flight.keptKey = key
  if (!(kept instanceof Promise)) return runStage(stage, flight, call, setup, kept.value)
  call.isHeldUp = true
  return kept.then(
    ({ value }) => {
      stage.calls.goOn(call)
      return runStage(stage, flight, call, setup, value)
    },
    (error: unknown) => {
      flight.keptKey = undefined
      return stageFailed(stage, call, error)
    },
  )
}

function keyFor({ stage }: RunningStage, flight: Flight): string | undefined {
  const key: unknown = stage.keyOf!(flight)
  if (key !== undefined && typeof key !== 'string') throw new Error('its keyOf answered something else than text')
  // As stores write it: it must be the same key after a restart.
  return key?.toWellFormed()
}

/** The step has ended: what the stage keeps changes in the same breath as the delivery, so that one commit has both. */
export function keepOf({ kept }: RunningStage, flight: Flight, { keep }: StageEnd): void {
  const key = flight.keptKey
  if (key === undefined || kept === undefined) return
  flight.keptKey = undefined
  if (keep !== undefined) kept.set(key, keep)
  kept.release(key)
}
