import { keyFor, keyOption, withoutKey } from '../io/key-option.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import { duration } from '../plugin/values.ts'

const seen = Object.freeze({ outcome: 'discard', reason: 'one with this key came before' } as const)

/**
 * Lets the first event of a key through and discards the others, until `within` has passed since the first. What is
 * remembered is stored with the step, so that neither a restart nor a repeated attempt lets one through twice (G9).
 */
export const dedupe = defineStage({
  name: 'dedupe',
  summary: 'Lets only the first event of a key through, for a time.',
  options: schema.strictObject({
    by: keyOption('What may come once.'),
    within: duration('How long a key is remembered after its first event.', 1),
  }),
  example: { by: 'data.orderId', within: '1h' },
  create: ({ by, within }) => ({
    keyOf: (input) => keyFor(by, input),
    process({ kept, now, event, context }) {
      if (keyFor(by, { event, context }) === undefined) return withoutKey(by)
      const until = typeof kept === 'number' ? kept : 0
      return until > now ? seen : { outcome: 'ack', keep: { value: now + within, dueAt: now + within } }
    },
    onDue: () => ({ keep: { value: null } }),
  }),
})
