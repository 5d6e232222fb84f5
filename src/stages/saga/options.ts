import type { Json } from '../../core/event.ts'
import type { SagaPlan, SagaStepPlan } from '../../core/saga-state.ts'
import { eventTypeOption } from '../../io/event-type.ts'
import { keyOption } from '../../io/key-option.ts'
import { patternSetting } from '../../plugin/delivery-settings.ts'
import { retryPolicies, retrySetting } from '../../plugin/retry-setting.ts'
import { schema } from '../../plugin/schema.ts'
import type { Derived } from '../../plugin/stage.ts'
import { nameSchema } from '../../plugin/stage-slot.ts'
import { duration } from '../../plugin/values.ts'
import type { RunStep, SagaStep } from './steps.ts'

/** What an event about the end of a saga is made from. */
export interface SagaOutcome {
  readonly key: string
  readonly results: Readonly<Record<string, Json>>
  /** Why it was compensated. */
  readonly reason?: string | undefined
}

const inCode = 'a function is needed: write the saga in a module (use: ./order-saga.ts)'

function code<F>(description: string) {
  return schema.custom<F>((value) => typeof value === 'function', { error: inCode }).describe(description)
}

function patterns(description: string) {
  return schema.union([patternSetting, schema.array(patternSetting).min(1)]).describe(description)
}

const compensate = {
  compensate: code<RunStep['compensate'] & {}>('What takes it back.').optional(),
  compensateRetry: retrySetting
    .describe('When a failed compensation is tried again. Default: without end, at most 5m apart.')
    .optional(),
}
const runStep = schema.strictObject({
  name: nameSchema,
  run: code<RunStep['run']>('What is called; its answer is the result of the step.'),
  retry: retrySetting.describe('When a failed attempt is made again. Default: 5 attempts, 1s to 8s apart.').optional(),
  timeout: duration('How long one attempt may take. Default: 1m.', 1).optional(),
  ...compensate,
})
const waitStep = schema.strictObject({
  name: nameSchema,
  event: patterns('The type of the event that is waited for, or several.'),
  fail: patterns('Types that say that it will not come.').optional(),
  timeout: duration('How long to wait. Default: as long as the saga may take.', 1).optional(),
  ...compensate,
})

const outcome = (description: string) =>
  schema
    .union([eventTypeOption('Its type.'), code<(outcome: SagaOutcome) => Derived>(description)], {
      error: 'a type, or in code a function that answers an event, is needed',
    })
    .describe(description)
    .optional()

const stepList = schema.array(schema.union([runStep, waitStep])).min(1)
/** A list, or what `steps()` made. */
const stepsOption = schema.preprocess((given) => (isChain(given) ? given.list : given), stepList) as schema.ZodType<
  schema.output<typeof stepList>,
  readonly SagaStep[] | { readonly list: readonly SagaStep[] }
>

export const sagaOptions = schema
  .strictObject({
    start: patterns('The type of event that a saga begins with, or several.'),
    by: keyOption('What names the saga, of all its events. Default: the subject.').prefault('event.subject'),
    steps: stepsOption.describe('What is done, in order: each calls something or waits for an event.'),
    completed: outcome('The type of the event that is derived when all steps are done.'),
    compensated: outcome('The type of the event that is derived when all is taken back.'),
    within: duration('How long it may take; then it is compensated. Default: as long as its steps.', 1).optional(),
    keep: duration('How long the state is kept after the end. Default: 7d.', 1).prefault('7d'),
    late: schema
      .enum(['discard', 'reject', 'pass'])
      .describe('What becomes of an event that no step waits for any more. reject: a dead letter; pass: it goes on.')
      .default('discard'),
    early: duration('How long an event waits for a saga that has not begun. Default: 1d.', 1).prefault('1d'),
  })
  .superRefine(({ steps, within }, context) => {
    const seen = new Set<string>()
    for (const [index, step] of steps.entries()) {
      const at = (message: string): void => context.addIssue({ code: 'custom', path: ['steps', index], message })
      if (seen.has(step.name)) at(`another step is named ${step.name}: what a saga remembers is kept by name`)
      seen.add(step.name)
      if (!('run' in step) && step.timeout === undefined && within === undefined)
        at('it could wait for ever: give it a timeout, or the saga within')
    }
  })

export type SagaOptions = schema.output<typeof sagaOptions>
export type CheckedStep = SagaOptions['steps'][number]

function isChain(given: unknown): given is { readonly list: unknown } {
  return typeof given === 'object' && given !== null && 'list' in given
}

/** How long an attempt of this step may take. */
export function attemptMs(step: CheckedStep): number {
  return 'run' in step && step.timeout !== undefined ? step.timeout : 60_000
}

/** What the state machine knows of the steps. */
export function planOf({ steps, within }: SagaOptions): SagaPlan {
  return { steps: steps.map(stepPlanOf), timeoutMs: within }
}

function stepPlanOf(step: CheckedStep): SagaStepPlan {
  const { name, compensate, compensateRetry } = step
  const isRun = 'run' in step
  return {
    name,
    kind: isRun ? 'run' : 'wait',
    isCompensable: compensate !== undefined,
    retry: retryPolicies(isRun ? step.retry : undefined, { attempts: 5 }).retry,
    compensateRetry: retryPolicies(compensateRetry).retry,
    waitMs: isRun ? undefined : step.timeout,
  }
}
