import { AppError } from '../core/errors.ts'
import type { DataProblem } from './json-schema.ts'
import { makeSchemaVersion } from './register-schemas.ts'
import { type WrittenSchema, writtenSchema } from './schema-settings.ts'
import type { Stage } from './stage.ts'

const asOne = { version: 1, mode: 'reject' } as const
const problemsTold = 5

/** A setting that is a schema of data; one that stands in the configuration itself is looked at when that is checked. */
export function dataSchema(description: string) {
  return writtenSchema
    .superRefine((written, context) => {
      // A file is read when the stage is made.
      const made = typeof written === 'string' ? undefined : makeSchemaVersion(written, asOne, '.')
      if (typeof made === 'string') context.addIssue({ code: 'custom', message: made })
    })
    .describe(
      `${description} A file with a JSON Schema (2020-12), relative to the configuration, or the schema itself; in code also a Standard Schema.`,
    )
}

/** Says why data does not fit, without repeating it; undefined when it does. Throws `config-invalid` for what is no schema. */
export function dataJudge(written: WrittenSchema, directory: string, stage: string) {
  const made = makeSchemaVersion(written, asOne, directory)
  if (typeof made === 'string') throw new AppError('config-invalid', `making the stage ${stage} failed: ${made}`)
  const reasonOf = (problems: readonly DataProblem[]): string | undefined => {
    if (problems.length === 0) return undefined
    const told = problems.slice(0, problemsTold).map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`)
    return `the data does not fit the schema: ${told.join('; ')}`
  }
  return (data: unknown): string | undefined | Promise<string | undefined> => {
    const problems = made.check(data)
    return problems instanceof Promise ? problems.then(reasonOf) : reasonOf(problems)
  }
}

/** The same stage, which is only called with data that fits; what does not fit is a dead letter. */
export function withInput(stage: Stage, written: WrittenSchema, directory: string, name: string): Stage {
  const judge = dataJudge(written, directory, name)
  return {
    process(input) {
      const next = (reason: string | undefined) =>
        reason === undefined ? stage.process(input) : ({ outcome: 'reject', reason } as const)
      const found = judge(input.event.data)
      return found instanceof Promise ? found.then(next) : next(found)
    },
    ...(stage.keyOf !== undefined && { keyOf: (input) => stage.keyOf!(input) }),
    ...(stage.onDue !== undefined && { onDue: (input) => stage.onDue!(input) }),
    open: (context) => stage.open?.(context),
    close: () => stage.close?.(),
  }
}
