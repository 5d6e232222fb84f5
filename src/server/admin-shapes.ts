import { schema } from '../plugin/schema.ts'
import { adminVerbs } from '../runtime/admin-log.ts'

/** Which entries of the admin log to read. */
export const adminLogSearch = schema.strictObject({
  after: schema.coerce
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Only entries older than this one: the previous answer’s next'),
  limit: schema.coerce.number().int().min(1).max(1_000).default(100).describe('At most this many (1 to 1,000)'),
})

const seen = schema
  .looseObject({
    state: schema.string().optional(),
    reason: schema.string().optional(),
    dead: schema.number().int().optional().describe('Dead letters'),
    etag: schema.string().optional(),
    config: schema.looseObject({}).optional().describe('Of one that was made over HTTP; secrets are hidden'),
  })
  .optional()

export const adminLogPage = schema.object({
  entries: schema.array(
    schema.object({
      number: schema.number().int().describe('Counts up without gaps from 1'),
      at: schema.iso.datetime(),
      actor: schema.string().describe('Name of the token; cli for a command on the store itself'),
      action: schema.enum(adminVerbs),
      subscription: schema.string().optional(),
      before: seen.describe('The subscription before; absent when there was none'),
      after: seen.describe('The subscription after it; absent when there is none any more'),
      facts: schema.looseObject({}).optional().describe('What was asked for and what came of it'),
    }),
  ),
  next: schema.number().int().optional(),
})
