import { evaluateFor, expressionOption, functionOption } from '../io/expression-option.ts'
import { defineStage } from '../plugin/define.ts'
import { ExpressionError } from '../plugin/expression-value.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput } from '../plugin/stage.ts'

/** Tells whether an event goes on; in code, as a function without side effects. */
export type FilterFunction = (input: StageInput) => boolean

const describe = 'What must be true of an event: an expression (CEL) over event, data, meta and context.'

/** Lets go on what an expression or a function is true for, and discards the rest. */
export const filter = defineStage({
  name: 'filter',
  summary: 'Discards events for which an expression is not true.',
  isPure: true,
  options: schema.strictObject({
    when: schema.union([expressionOption(describe), functionOption<FilterFunction>(describe)]).describe(describe),
    reason: schema.string().min(1).max(200).describe('Why an event is discarded, as people read it.').optional(),
  }),
  example: { when: 'data.test != true' },
  create({ when, reason }) {
    const said = typeof when === 'function' ? 'the filter is not true' : `not true: ${when.text.slice(0, 100)}`
    const discarded = Object.freeze({ outcome: 'discard', reason: reason ?? said } as const)
    if (typeof when === 'function') return { process: (input) => (when(input) ? undefined : discarded) }
    return {
      process(input) {
        try {
          return evaluateFor(when, input) === true ? undefined : discarded
        } catch (error) {
          // A member that is missing: then it is not true, as with `where`.
          if (error instanceof ExpressionError) return discarded
          throw error
        }
      },
    }
  },
})
