import { defineStage } from '../plugin/define.ts'
import { attemptMs, sagaOptions } from './saga/options.ts'
import { createSaga } from './saga/stage.ts'

export type { SagaState } from '../core/saga-state.ts'
export type { SagaOutcome } from './saga/options.ts'
export {
  type CompensateInput,
  type SagaInput,
  type SagaStep,
  type SagaSteps,
  StepRejected,
  steps,
} from './saga/steps.ts'

/** A call is given a little more than its own time, so that it is the step's timeout that ends it. */
const marginMs = 10_000

/**
 * Runs steps one after another for each start event, and takes back what was begun when one fails for good. Every transition
 * is stored under the key of the saga, so that a process that is killed at any point leaves one that goes on: to its end, or
 * back to its beginning (S3-13). What a step does may happen twice; its `idempotencyKey` is the same then.
 */
export const saga = defineStage({
  name: 'saga',
  summary: 'Runs steps one after another for an event, and compensates them in reverse when one fails.',
  options: sagaOptions,
  example: {
    start: 'order.placed',
    steps: [{ name: 'paid', event: 'payment.received', timeout: '1h' }],
    completed: 'order.paid',
    compensated: 'order.cancelled',
  },
  // A step that ends the process has used up one of its attempts: it is contained by that, and others need not wait for it.
  runsUserCode: false,
  defaults: ({ steps }) => ({
    concurrency: 16,
    buffer: 16,
    timeoutMs: Math.max(...steps.map(attemptMs)) + marginMs,
  }),
  waitsFor: ({ start, steps }) => [start, ...steps.flatMap((step) => ('run' in step ? [] : [step.event]))].flat(),
  excludes: {
    ordering: 'the event that a saga waits for would wait behind the one that began it',
    coalesce: 'a later event would end the saga of an earlier one half way',
    ttl: 'a saga would end half way when its event is too old',
  },
  create: (options, { platform }) => createSaga(options, platform),
})
