import { timeProblem } from '../core/event-fields.ts'
import { evaluateFor, expressionOption, rejectingExpressions } from '../io/expression-option.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'
import { duration } from '../plugin/values.ts'

/** Holds an event until a time has come. It waits in its row, over restarts, and no attempt is counted. */
export const delay = defineStage({
  name: 'delay',
  summary: 'Lets an event wait for a time, or until a time that stands in it.',
  isPure: true,
  options: schema
    .strictObject({
      for: duration('How long after the event was stored.', 1).optional(),
      until: expressionOption('The time, as an expression that gives RFC 3339: data.sendAt. Null: at once.').optional(),
    })
    .refine((given) => (given.for === undefined) !== (given.until === undefined), {
      error: 'say either for or until',
    }),
  example: { for: '10m' },
  create({ for: ms, until }, { platform }) {
    const dueAt = (input: StageInput): number | undefined => {
      if (ms !== undefined) return input.event.record.appendedAt + ms
      const value = evaluateFor(until!, input)
      return value === null
        ? 0
        : typeof value === 'string' && timeProblem(value) === undefined
          ? Date.parse(value)
          : undefined
    }
    return {
      process: (input) =>
        rejectingExpressions((): StageResult | undefined => {
          const at = dueAt(input)
          if (at === undefined || Number.isNaN(at)) return { outcome: 'reject', reason: 'until gives no time' }
          const left = Math.ceil(at - platform.clock.now())
          return left > 0
            ? { outcome: 'retry', reason: 'it waits for its time', delay: `${left}ms`, isWait: true }
            : undefined
        }),
    }
  },
})
