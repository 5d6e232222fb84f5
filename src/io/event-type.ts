import { typeProblem } from '../core/event-fields.ts'
import { isReservedType } from '../core/match.ts'
import { schema } from '../plugin/schema.ts'

/** An option that is the type of events, checked as ingest will check it. */
export function eventTypeOption(description: string) {
  return schema
    .string()
    .min(1)
    .max(255)
    .describe(description)
    .superRefine((type, context) => {
      const problem = typeProblem(type)
      if (problem !== undefined) context.addIssue({ code: 'custom', message: `the type ${problem}` })
      else if (isReservedType(type))
        context.addIssue({ code: 'custom', message: 'types beginning with millrace. belong to the engine' })
    })
}
