import { defineSource } from '../plugin/define.ts'
import type { Received, SourceBatch } from '../plugin/source.ts'
import { readBody } from './webhook/body.ts'
import { createFields } from './webhook/fields.ts'
import { options } from './webhook/options.ts'
import { createCheck } from './webhook/signatures.ts'

/** Webhooks of other services, posted to `/in/{name}`. */
export const webhook = defineSource({
  name: 'webhook',
  summary: 'Takes the webhooks of other services at /in/{name}: checks who sent them and stores one event for each.',
  options,
  example: { scheme: 'github', secret: 'a-secret-of-your-own' },
  isPassive: true,
  receives: true,
  create(given) {
    const isAuthentic = createCheck(given)
    const fieldsOf = createFields(given)
    return {
      async *read(): AsyncGenerator<SourceBatch> {},
      receive(request, { clock }): Received {
        if (!isAuthentic(request, clock.now())) return { kind: 'unauthorized' }
        const body = readBody(request)
        if (!body.ok) return body.refusal
        const challenge = given.scheme === 'slack' ? challengeOf(body.value) : undefined
        if (challenge !== undefined) return { kind: 'answer', text: challenge }
        return { kind: 'events', events: [fieldsOf(request, body.value, body.text)] }
      },
    }
  },
})

/** What Slack wants back when an address is entered there. */
function challengeOf(body: unknown): string | undefined {
  const { type, challenge } = (body ?? {}) as { readonly type?: unknown; readonly challenge?: unknown }
  return type === 'url_verification' && typeof challenge === 'string' ? challenge.slice(0, 1_000) : undefined
}
