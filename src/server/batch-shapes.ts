import { schema } from '../plugin/schema.ts'
import { duration } from '../plugin/values.ts'

const dayMs = 86_400_000
const count = schema.number().int().min(0)
const sequence = schema.number().int().min(1)
const lease = duration('How long the batch is the client’s, from now; at most 24h')
  .refine((ms) => ms <= dayMs, { error: 'at most 24h' })
  .optional()
const receipt = schema.string().min(1).max(200).describe('As it came with the batch')
const sequences = schema
  .array(sequence)
  .max(10_000)
  .optional()
  .describe('Only these events of the batch; without it, all of them')

/** What a client asks of a fetch; all of it may be left out, the body too. */
export const fetchCall = schema.strictObject({
  limit: schema.number().int().min(1).max(10_000).optional().describe('At most this many events'),
  wait: duration('How long to wait for the first event; more than the sink allows counts as that').optional(),
  lease,
})
export const confirmCall = schema.strictObject({ receipt, sequences })
export const releaseCall = schema.strictObject({
  receipt,
  sequences,
  delay: duration('Not to be offered again before this has passed; at most 24h')
    .refine((ms) => ms <= dayMs, { error: 'at most 24h' })
    .optional(),
})
export const extendCall = schema.strictObject({ receipt, lease })

export const fetchedBatch = schema.object({
  batch: schema.string().describe('Names the batch in the routes that follow'),
  receipt: schema.string().describe('Shown to confirm, release or extend; keep it secret'),
  events: schema
    .array(schema.unknown())
    .describe('In order of sequence: CloudEvents, or what the payload of the subscription makes of them'),
  sequences: schema.array(sequence).describe('Of each event'),
  deliveryCounts: schema.array(sequence).describe('How often each event was offered, this time included'),
  remaining: count.describe('Events that wait for a client; exact up to 10000, which also stands for more'),
  deadline: schema.iso.datetime().describe('When the batch is offered again if it is not confirmed'),
})
export const confirmed = schema.object({ confirmed: count.describe('Events that this call settled') })
export const released = confirmed.extend({ released: count.describe('Events that are offered again') })
export const extended = confirmed.extend({
  extended: count.describe('Events that are still leased'),
  deadline: schema.iso.datetime(),
})
