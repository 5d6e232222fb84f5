import { defineStage } from '../plugin/define.ts'
import { dataJudge, dataSchema } from '../plugin/input-schema.ts'
import { schema } from '../plugin/schema.ts'
import type { StageResult } from '../plugin/stage.ts'

/** Lets go on what fits a schema, and rejects or discards the rest. */
export const validate = defineStage({
  name: 'validate',
  summary: 'Checks the data against a JSON Schema, and rejects or discards what does not fit.',
  isPure: true,
  options: schema.strictObject({
    schema: dataSchema('What the data must be.'),
    onFailure: schema
      .enum(['reject', 'discard'])
      .describe('reject (default): into the dead letters; discard: settled as discarded, with the reason.')
      .optional(),
  }),
  dataSchemas: ['schema'],
  example: { schema: './schemas/order.json' },
  create({ schema: written, onFailure: outcome = 'reject' }, { directory }) {
    const judge = dataJudge(written, directory, 'validate')
    const next = (reason: string | undefined): StageResult | undefined =>
      reason === undefined ? undefined : { outcome, reason }
    return {
      process({ event }) {
        const reason = judge(event.data)
        return reason instanceof Promise ? reason.then(next) : next(reason)
      },
    }
  },
})
