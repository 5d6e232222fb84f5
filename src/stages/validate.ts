import { AppError } from '../core/errors.ts'
import { defineStage } from '../plugin/define.ts'
import type { DataProblem } from '../plugin/json-schema.ts'
import { makeSchemaVersion } from '../plugin/register-schemas.ts'
import { schema } from '../plugin/schema.ts'
import { writtenSchema } from '../plugin/schema-settings.ts'
import type { StageResult } from '../plugin/stage.ts'

const asOne = { version: 1, mode: 'reject' } as const

/** Lets go on what fits a schema, and rejects or discards the rest. */
export const validate = defineStage({
  name: 'validate',
  summary: 'Checks the data against a JSON Schema, and rejects or discards what does not fit.',
  isPure: true,
  options: schema.strictObject({
    schema: writtenSchema
      .superRefine((written, context) => {
        // A file is read when the stage is made.
        const made = typeof written === 'string' ? undefined : makeSchemaVersion(written, asOne, '.')
        if (typeof made === 'string') context.addIssue({ code: 'custom', message: made })
      })
      .describe(
        'A file with a JSON Schema (2020-12), relative to the configuration, or the schema itself; in code also a Standard Schema.',
      ),
    onFailure: schema
      .enum(['reject', 'discard'])
      .describe('reject (default): into the dead letters; discard: settled as discarded, with the reason.')
      .optional(),
  }),
  example: { schema: './schemas/order.json' },
  create({ schema: written, onFailure: outcome = 'reject' }, { directory }) {
    const made = makeSchemaVersion(written, asOne, directory)
    if (typeof made === 'string') throw new AppError('config-invalid', `making the stage validate failed: ${made}`)
    const judge = (problems: readonly DataProblem[]): StageResult | undefined => {
      if (problems.length === 0) return undefined
      const told = problems.slice(0, 5).map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`)
      return { outcome, reason: `the data does not fit the schema: ${told.join('; ')}` }
    }
    return {
      process({ event }) {
        const problems = made.check(event.data)
        return problems instanceof Promise ? problems.then(judge) : judge(problems)
      },
    }
  },
})
