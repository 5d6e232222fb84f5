import { checkPattern } from '../core/match.ts'
import { settledStates } from '../core/outcome.ts'
import { schema } from '../plugin/schema.ts'
import { durabilities } from '../plugin/store.ts'
import { subscriptionStates } from '../runtime/api.ts'
import { rebuild } from './state-shapes.ts'

const sequence = schema.number().int().min(1).describe('Place in the log')
const count = schema.number().int().min(0)
const pageSize = schema.coerce.number().int().min(1).max(1_000).default(100).describe('At most this many (1 to 1,000)')
const afterSequence = schema.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const texts = schema.union([schema.string(), schema.array(schema.string())])
const whatIsWrong = {
  error: ({ input }: { input?: unknown }) =>
    (input as readonly string[]).map(checkPattern).find((wrong) => wrong !== undefined) ?? '',
}
const arePatterns = (given: readonly string[]) => given.every((text) => checkPattern(text) === undefined)
const patterns = texts
  .transform((given) => (typeof given === 'string' ? [given] : given).flatMap((text) => text.split(',')))
  .refine(arePatterns, whatIsWrong)
  .describe('Patterns: exact, prefix.* or *; several by comma or by repeating')
const moment = schema.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

/** Parameters of a search of the log. */
export const eventSearch = schema.strictObject({
  after: afterSequence.optional().describe('Only events with a greater sequence'),
  before: afterSequence.optional().describe('Newest first instead: only events with a smaller sequence'),
  type: patterns.optional(),
  source: schema.string().optional().describe('Exactly this source'),
  subject: schema.string().optional().describe('Exactly this subject'),
  id: schema.string().optional().describe('Exactly this id'),
  since: moment.optional().describe('Appended at or after this RFC 3339 time'),
  until: moment.optional().describe('Appended before this RFC 3339 time'),
  limit: pageSize,
})
/** Parameters of a stream. */
export const streamSearch = schema.strictObject({
  after: schema
    .string()
    .max(100)
    .optional()
    .describe('Only events after this: an id of the stream, or a sequence (0: the oldest kept). Default: from now'),
  type: patterns.optional(),
})
/** Parameters of a list in order of name. */
export const namePage = schema.strictObject({
  after: schema.string().optional().describe('Only names that sort after this one: the previous answer’s next'),
  limit: pageSize,
})
/** Parameters of a list of dead letters. */
export const deadSearch = schema.strictObject({
  after: afterSequence.optional().describe('Only dead letters with a greater sequence'),
  type: patterns.optional(),
  replay: schema.string().max(64).optional().describe('Those of this replay of the subscription'),
  limit: pageSize,
})
/** Parameters of an explanation. */
export const explainSearch = schema.strictObject({
  subscription: schema.string().optional().describe('Only this subscription'),
})
/** Which dead letters a redrive or discard is about. */
export const selection = schema
  .strictObject({
    sequences: schema.array(sequence).max(10_000).optional().describe('These'),
    type: schema
      .array(schema.string())
      .max(100)
      .refine(arePatterns, whatIsWrong)
      .optional()
      .describe('Those whose type matches one of these patterns'),
    all: schema.boolean().optional().describe('All; must be said when nothing else narrows'),
  })
  .refine(({ sequences, type, all }) => all === true || (sequences ?? type) !== undefined, {
    message: 'says nothing: give sequences, type or "all": true',
  })

const attempt = schema.object({
  at: schema.iso.datetime(),
  durationMs: schema.number(),
  step: schema.string(),
  outcome: schema.string(),
  reason: schema.string().optional(),
  detail: schema.record(schema.string(), schema.unknown()).optional(),
})
const failure = schema.object({ code: schema.string(), message: schema.string() })

/** An event on the wire. */
export const event = schema
  .looseObject({
    specversion: schema.literal('1.0'),
    id: schema.string(),
    source: schema.string(),
    type: schema.string(),
    subject: schema.string().optional(),
    time: schema.iso.datetime({ offset: true }).optional(),
    datacontenttype: schema.string().optional(),
    dataschema: schema.string().optional(),
    data: schema.unknown().optional(),
    data_base64: schema.string().optional(),
    sequence: schema.string().describe('Place in the log'),
    recordedtime: schema.iso.datetime().describe('When the store took it'),
  })
  .describe('A CloudEvent in JSON with the extensions sequence and recordedtime')
/** What came of one event of a request. */
const eventResult = schema.object({
  id: schema.string().optional(),
  source: schema.string().optional(),
  status: schema.enum(['stored', 'duplicate', 'conflict', 'quarantined', 'refused']),
  sequence: sequence.optional(),
  error: failure.optional(),
})
/** What came of the only event of a request. */
export const publishedEvent = eventResult.extend({ durability: schema.enum(durabilities) })
/** What came of the events of a batch, in their order. */
export const publishedBatch = schema.object({
  results: schema.array(eventResult),
  durability: schema.enum(durabilities),
})
export const eventPage = schema.object({ events: schema.array(event), next: sequence.optional() })

const delivery = schema.object({
  subscription: schema.string(),
  replay: schema.string().optional().describe('The replay whose delivery this is; absent for live traffic'),
  state: schema.enum([
    ...settledStates,
    'filtered',
    'unexamined',
    'pending',
    'waiting',
    'held',
    'leased',
    'before-start',
  ]),
  reason: schema.string().optional(),
  checks: schema.array(schema.object({ check: schema.string(), value: schema.string(), matched: schema.boolean() })),
  attempts: schema.array(attempt),
  attemptCount: count,
  next: schema.string().optional(),
  dueAt: schema.string().optional(),
  settledAt: schema.string().optional(),
})
export const deliveryPage = schema.object({ deliveries: schema.array(delivery), next: schema.string().optional() })
export const explanation = schema.object({
  sequence,
  event: schema.looseObject({}).optional(),
  deliveries: schema.array(delivery),
})
const stepStats = schema.object({
  name: schema.string(),
  items: count.describe('Calls that ended: passed + failed + waits + discarded + rejected'),
  passed: count,
  failed: count,
  waits: count.describe('Too early, and made again later'),
  discarded: count,
  rejected: count,
  seconds: schema.number().describe('In all calls together'),
  perItemMs: schema.number(),
  waiting: count.describe('Deliveries in front of it'),
  running: count.describe('Calls under way'),
})
export const subscription = schema.looseObject({
  name: schema.string(),
  state: schema.enum(subscriptionStates),
  reason: schema.string().optional(),
  floor: count,
  head: count,
  lag: count.describe('Events not yet examined'),
  open: count.describe('Deliveries not settled'),
  oldestAgeSeconds: schema.number(),
  counters: schema.record(schema.string(), count),
  foldVersion: schema.string().optional().describe('For a projection: which version of its code made what it keeps'),
  rebuild: rebuild.optional().describe('The rebuild of what it keeps, under way, or the last one since the start'),
  stages: schema
    .array(stepStats)
    .optional()
    .describe('Its stages and, last, its sink since the start; absent where nothing runs'),
  origin: schema.enum(['file', 'api']).optional().describe('Where it comes from: the configuration, or a PUT'),
  version: count.optional().describe('Of one that was made by PUT: how often it was changed; see ETag'),
  options: schema
    .looseObject({})
    .optional()
    .describe('Of one that was made by PUT: the options of its sink, without secrets'),
  config: schema.looseObject({}).optional().describe('To who may change it: as it can be sent back'),
})
export const subscriptionPage = schema.object({
  subscriptions: schema.array(subscription),
  next: schema.string().optional(),
})
export const deadPage = schema.object({
  dead: schema.array(
    schema.object({
      sequence,
      event: event.nullable().describe('null when it could not be read: the store is damaged'),
      reason: schema.string(),
      error: schema.string().optional(),
      attempts: schema.array(attempt),
      attemptCount: count,
      diedAt: schema.iso.datetime(),
    }),
  ),
  next: sequence.optional(),
})
export const redriven = schema.object({ redriven: count })
export const discarded = schema.object({ discarded: count })
export const audit = schema.looseObject({ ok: schema.boolean(), head: count, problems: schema.array(schema.string()) })
/** A ticket, and until when it can be used. */
export const ticket = schema.object({ ticket: schema.string(), expires: schema.iso.datetime() })
export const health = schema.looseObject({
  status: schema.enum(['ok', 'unavailable']),
  problems: schema.array(schema.string()).optional(),
  warnings: schema.array(schema.string()).optional(),
})
export const openObject = schema.looseObject({})
