import { schema } from '../plugin/schema.ts'
import { durabilities } from '../plugin/store.ts'
import { event } from './schemas.ts'

const count = schema.number().int().min(0)
const version = schema.number().int().min(1).describe('Place in the stream; the first event has 1')
const wholeNumber = schema.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/** Parameters of a look at a stream. */
export const streamPageQuery = schema.strictObject({
  after: wholeNumber.default(0).describe('Only events with a greater version'),
  until: schema
    .union([wholeNumber, schema.iso.datetime({ offset: true })], {
      error: 'a version or an RFC 3339 time is needed',
    })
    .optional()
    .describe('As the stream was at this version, or at this time: what was appended before it'),
  limit: schema.coerce.number().int().min(1).max(1_000).default(100).describe('At most this many (1 to 1,000)'),
})

/** Events of a stream. */
export const streamPage = schema.object({
  events: schema.array(schema.object({ version, event })),
  version: count.describe('Of the stream, or of the point in its life that was asked for; 0 when it does not exist'),
  next: count.optional().describe('Pass as after for the next page; absent at the end'),
})

/** What came of an append. */
export const appended = schema.object({
  version: count.describe('Of the stream after these events'),
  results: schema.array(
    schema.object({
      id: schema.string(),
      source: schema.string(),
      status: schema.enum(['stored', 'duplicate']),
      sequence: schema.number().int().min(1).describe('Place in the log'),
    }),
  ),
  durability: schema.enum(durabilities),
})
