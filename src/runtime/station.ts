import { Queue } from '../core/queue.ts'
import type { Flight } from './flight.ts'
import type { RunningStage } from './stage-run.ts'
import { StepCounts, type StepStats } from './step-counts.ts'

/** A stage at work. */
export interface Station {
  readonly stage: RunningStage
  /** The names of all stages up to this one: nearly always what a delivery has behind it, and then one list serves all. */
  readonly doneUpTo: readonly string[]
  readonly counts: StepCounts
  /** In front of it, in order. */
  readonly line: Queue<Flight>
  /** How many more it may take. A delivery that is through keeps its place while it is held back. */
  free: number
}

/** A stage with nothing to do. */
export function stationOf(stage: RunningStage, index: number, all: readonly RunningStage[]): Station {
  const doneUpTo = all.slice(0, index + 1).map(({ name }) => name)
  return { stage, doneUpTo, counts: new StepCounts(), line: new Queue(), free: stage.concurrency }
}

/** The stages that a delivery has behind it with this one. */
export function doneWith(stations: readonly Station[], index: number, { done }: Flight): readonly string[] {
  const { stage, doneUpTo } = stations[index]!
  const isInStep = index === 0 ? done.length === 0 : done === stations[index - 1]!.doneUpTo
  return isInStep ? doneUpTo : [...done, stage.name]
}

/** What a stage has done since the start, and how it stands. */
export function statsOf({ stage, counts, line }: Station): StepStats {
  return counts.stats(stage.name, line.size, stage.calls.size)
}
