import { Queue } from '../core/queue.ts'
import type { Flight } from './flight.ts'
import type { StageBuffer } from './stage-buffer.ts'
import type { RunningStage } from './stage-run.ts'
import { StepCounts, type StepStats } from './step-counts.ts'

/** A stage at work. */
export interface Station {
  readonly stage: RunningStage
  readonly counts: StepCounts
  /** In front of it, in order. */
  readonly line: Queue<Flight>
  /** How many more it may take. A delivery that is through keeps its place while it is held back. */
  free: number
}

/** What a step that was committed, and the buffer in front of the next one, have of a delivery. */
export interface Committed {
  readonly flight: Flight
  readonly buffer: StageBuffer | undefined
}

/** A stage with nothing to do. */
export function stationOf(stage: RunningStage): Station {
  return { stage, counts: new StepCounts(), line: new Queue(), free: stage.concurrency }
}

/** What a stage has done since the start, and how it stands. */
export function statsOf({ stage, counts, line }: Station): StepStats {
  return counts.stats(stage.name, line.size, stage.calls.size)
}
