import { checkPattern } from '../core/match.ts'
import { schema } from '../plugin/schema.ts'
import { duration } from '../plugin/values.ts'
import { subscription } from './schemas.ts'

const pattern = schema.string().refine((text) => checkPattern(text) === undefined)

/** A subscription as the configuration writes it. What the pipeline knows of it is checked there, with all its names. */
export const subscriptionBody = schema
  .looseObject({
    match: schema.array(pattern).optional().describe('Types to read: *, prefix.* or exact. Default: *'),
    from: schema.array(schema.string()).optional().describe('Sources to read. Default: every one'),
    where: schema
      .string()
      .optional()
      .describe('A CEL expression over event, data and meta; one that begins meta.tenant == "…" is found by an index'),
    sink: schema
      .looseObject({ type: schema.string().describe('webhook, pull or sse') })
      .describe('The sink and its options; a webhook without secret is given one'),
  })
  .describe('Every setting that a subscription of the configuration has, but no stages of your own')

/** What came of a `PUT`. */
export const subscribed = schema.object({
  subscription,
  secret: schema.string().optional().describe('The secret that was made; never shown again'),
})

/** What is asked of a change of secret. */
export const rotateCall = schema.strictObject({
  overlap: duration('How long the old secret signs beside the new one. Default: 24h').optional(),
  secret: schema.string().min(1).max(200).optional().describe('The new one. Default: it is made'),
})
export const rotated = schema.object({
  secret: schema.string().describe('The new secret; never shown again'),
  oldUntil: schema.iso.datetime().describe('From then on nothing is signed with the old one'),
})

/** What a test delivery met. */
export const testDelivery = schema.object({
  at: schema.iso.datetime(),
  durationMs: schema.number(),
  step: schema.string(),
  outcome: schema
    .enum(['ack', 'retry', 'discard', 'reject'])
    .describe('What a delivery would have become; ack is success'),
  reason: schema.string().optional(),
  messageId: schema.string().describe('webhook-id of the request'),
  detail: schema
    .looseObject({ status: schema.number().optional(), excerpt: schema.string().optional() })
    .optional()
    .describe('The status, and the beginning of the answer (1 KiB) where it is text'),
})

export const rotatedKey = schema.object({
  changed: schema.number().int().describe('Subscriptions whose secrets were encrypted anew'),
  unreadable: schema.number().int().describe('Those whose key is not there'),
})
