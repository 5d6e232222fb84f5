import { parseSigningSecret } from '../../io/signing.ts'
import { schema } from '../../plugin/schema.ts'
import { headerProblem } from './headers.ts'
import { formats } from './message.ts'

const missingUrl = "Webhook sink requires a 'url' configuration"

const secret = schema.string().superRefine((text, context) => {
  const parsed = parseSigningSecret(text)
  if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.problem })
})

const until = schema.iso
  .datetime({ offset: true, error: 'a time such as 2026-01-31T12:00:00Z is needed' })
  .describe('From then on nothing is signed with it.')

/** The options of the sink `webhook`. */
export const webhookOptions = schema
  .strictObject({
    url: schema
      .string({ error: missingUrl })
      .describe(
        'Where events are posted: an https URL, or http where egress.allow opens it; no user name and password.',
      )
      .superRefine((text, context) => {
        const message = urlProblem(text)
        if (message !== undefined) context.addIssue({ code: 'custom', message })
      }),
    secret: secret
      .optional()
      .describe('Signs each request as Standard Webhooks does: whsec_… (shared secret) or whsk_… (private key).'),
    secrets: schema
      .array(
        schema.union([secret, schema.strictObject({ secret, until })], {
          error: 'a secret, or { secret, until } is needed',
        }),
      )
      .min(1)
      .max(4)
      .optional()
      .describe(
        'In place of secret while secrets are changed: the newest first; each request has a signature by every one, an old one as { secret, until } up to a time.',
      ),
    format: schema
      .enum(formats)
      .optional()
      .describe(
        'structured (default): the body is the event as CloudEvents JSON. binary: its data is the body, all else is in headers.',
      ),
    headers: schema
      .record(schema.string(), schema.string())
      .superRefine((headers, context) => {
        for (const [name, value] of Object.entries(headers)) {
          const message = headerProblem(name, value)
          if (message !== undefined) context.addIssue({ code: 'custom', message, path: [name] })
        }
      })
      .optional()
      .describe('Headers sent with every request, for example Authorization.'),
  })
  .superRefine((options, context) => {
    if (options.secret !== undefined && options.secrets !== undefined)
      context.addIssue({ code: 'custom', path: ['secrets'], message: 'write either secret or secrets, not both' })
  })

/** The options, checked. */
export type WebhookOptions = schema.output<typeof webhookOptions>

/** What is wrong with the URL. The URL itself is never part of the text: it often is the credential. */
function urlProblem(text: string): string | undefined {
  if (text.trim() === '') return missingUrl
  const url = URL.parse(text)
  if (url === null) return 'the url of a webhook is not a URL: write it whole, for example https://example.com/hook'
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    return `the url of a webhook begins with https:// or http://, not ${url.protocol}`
  if (url.username !== '' || url.password !== '')
    return 'the url of a webhook has no user name or password: put them into headers, as Authorization'
  return undefined
}
