import type { Json } from '../../core/event.ts'
import type { Saga } from '../../core/saga-state.ts'
import type { Derived, StageInput, StageResult } from '../../plugin/stage.ts'
import type { SagaOptions, SagaOutcome } from './options.ts'

type Settings = Pick<SagaOptions, 'completed' | 'compensated' | 'keep'>

/** What is answered for the start event at the end: the outcome, the event about it, and how long the state stays. */
export function endOf(saga: Saga, key: string, options: Settings, { context, now }: StageInput): StageResult {
  const keep = { value: saga as unknown as Json, dueAt: now + options.keep }
  const outcome: SagaOutcome = { key, results: saga.results, reason: saga.reason }
  if (saga.status === 'completed')
    return {
      outcome: 'ack',
      context: { ...context, saga: saga.results },
      keep,
      derive: derived('completed', options.completed, outcome, saga),
    }
  return {
    outcome: 'discard',
    reason: `compensated: ${saga.reason}`,
    keep,
    derive: derived('compensated', options.compensated, outcome, saga),
  }
}

/** One for each end: a saga that is worked on again after it was put back from the dead letters may have another one. */
function derived(id: string, written: SagaOptions['completed'], outcome: SagaOutcome, saga: Saga): readonly Derived[] {
  if (written === undefined) return []
  if (typeof written === 'function') return [{ ...written(outcome), id }]
  const { startedAt, endedAt } = saga
  return [{ type: written, subject: outcome.key, id, data: { ...outcome, startedAt, endedAt } }]
}
