import { checkPattern } from '../core/match.ts'
import { schema } from '../plugin/schema.ts'
import { replayStates, replayTtls } from '../runtime/replay/face.ts'
import { event } from './schemas.ts'

const sequence = schema.number().int().min(0)
const count = schema.number().int().min(0)
const asList = (given: string | string[]): string[] => (typeof given === 'string' ? [given] : given)
const texts = schema.union([schema.string(), schema.array(schema.string()).min(1).max(100)])
const patterns = texts.refine((given) => asList(given).every((text) => checkPattern(text) === undefined), {
  error: ({ input }) =>
    asList(input as string | string[])
      .map(checkPattern)
      .find((wrong) => wrong !== undefined) ?? '',
})
const bound = schema.union([schema.number().int().min(1), schema.string().min(1).max(64)], {
  error: 'a sequence from 1 or an RFC 3339 time is needed',
})

/** Which events are delivered again, and how. */
export const replayCall = schema.strictObject({
  from: bound.describe('A sequence, or a time: the first event appended at or after it'),
  to: bound
    .optional()
    .describe('A sequence, itself included, or a time, itself not included. Default: the newest event'),
  match: patterns.transform(asList).optional().describe('Only types that match one of these patterns'),
  source: texts.transform(asList).optional().describe('Only these sources'),
  subject: texts.transform(asList).optional().describe('Only these subjects'),
  rate: schema
    .string()
    .max(40)
    .optional()
    .describe('Deliveries in a time. Default: 100/s, or half of the subscription’s own rate where that is less'),
  ttl: schema
    .enum(replayTtls)
    .optional()
    .describe(
      'Events older than the time to live of the subscription: deliver (ignore, the default), or settle as expired (keep)',
    ),
  dryRun: schema.boolean().optional().describe('True: only count what would be delivered, and show some of it'),
})

const counts = schema.object({
  examined: count.describe('Events of the range looked at so far'),
  matched: count.describe('Of these, deliveries'),
  delivered: count,
  discarded: count,
  expired: count,
  dead: count,
  lost: count,
  open: count,
  attempts: count,
  retries: count,
})

/** One replay. */
export const replay = schema.object({
  id: schema.string().describe('Also at the end of webhook-id, and the extension replayid of each event delivered'),
  subscription: schema.string(),
  state: schema.enum(replayStates),
  reason: schema.string().optional(),
  from: sequence,
  to: sequence,
  removed: count.describe('Events of the range that retention had removed before it began'),
  match: schema.array(schema.string()).optional(),
  source: schema.array(schema.string()).optional(),
  subject: schema.array(schema.string()).optional(),
  rate: schema.string(),
  ttl: schema.enum(replayTtls),
  createdAt: schema.iso.datetime(),
  endedAt: schema.iso.datetime().optional(),
  total: count.describe('Events of the range'),
  counts,
  perSecond: schema.number().optional().describe('Deliveries settled each second, lately'),
  etaSeconds: schema.number().optional(),
})

/** What a replay would deliver. */
export const replayDryRun = schema.object({
  dryRun: schema.literal(true),
  subscription: schema.string(),
  from: sequence,
  to: sequence,
  count: count.describe('Deliveries that the replay makes'),
  expired: count.describe('Of these, older than their time to live; with ttl keep they are not sent'),
  removed: count,
  sample: schema.array(event).describe('The first of them, at most 10'),
  next: sequence
    .optional()
    .describe('Counted up to here, as far as a minute goes: ask again with this as from for the rest'),
})

/** Parameters of a list of replays. */
export const replayPage = schema.strictObject({
  after: schema.string().optional().describe('Only replays older than this one: the previous answer’s next'),
  limit: schema.coerce.number().int().min(1).max(1_000).default(100).describe('At most this many (1 to 1,000)'),
})
export const replays = schema.object({ replays: schema.array(replay), next: schema.string().optional() })

/** Whose dead letters are meant: those of live traffic, or of one replay. */
export const deadOwner = schema.strictObject({
  replay: schema.string().max(64).optional().describe('Those of this replay of the subscription'),
})
