import { eventTypeOption } from '../../io/event-type.ts'
import { receivedOptions } from '../../io/received-options.ts'
import { maxSignatures, parseVerifyingSecret } from '../../io/signing.ts'
import { schema } from '../../plugin/schema.ts'
import { duration } from '../../plugin/values.ts'

export const schemeNames = ['standard', 'github', 'stripe', 'slack', 'hmac', 'bearer'] as const

const secret = schema.string().min(8, { error: 'a secret has at least 8 characters' })

// In a header name, RFC 9110.
const headerName = schema.string().regex(/^[!#$%&'*+.^_`|~\w-]{1,100}$/, { error: 'this is not the name of a header' })

/** Options of the incoming webhook. */
export const options = schema
  .strictObject({
    scheme: schema.enum(schemeNames).describe('How the sender shows who it is.'),
    secret: schema
      .union([secret, schema.array(secret).min(1).max(maxSignatures)])
      .transform((given) => (typeof given === 'string' ? [given] : given))
      .describe('What was agreed with the sender; a list while it is being changed. Take it from a variable.'),
    header: headerName
      .describe('With hmac: the header of the signature. With bearer: the header of the token. Default: authorization.')
      .optional(),
    algorithm: schema.enum(['sha256', 'sha512', 'sha1']).describe('With hmac: the hash. Default: sha256.').optional(),
    encoding: schema
      .enum(['hex', 'base64'])
      .describe('With hmac: how the signature is written. Default: hex.')
      .optional(),
    prefix: schema
      .string()
      .max(100)
      .describe('With hmac: what stands before the signature, such as sha256=.')
      .optional(),
    tolerance: duration('How old or new a signed time may be.', 1_000, 3_600_000).prefault('5m'),
    eventType: eventTypeOption('The type of every event. Default: as the sender calls it.').optional(),
    ...receivedOptions({
      from: ['body', 'headers', 'query'],
      where: 'a path into the body, or an expression',
      otherwise: 'Default: as the scheme has them; data is the whole body.',
    }),
    meta: schema
      .array(headerName)
      .max(20)
      .describe('More headers to keep in meta; only such as are the same when the sender repeats itself.')
      .default([]),
  })
  .superRefine((given, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (given.scheme === 'hmac' && given.header === undefined)
      problem('header', 'this setting is missing: the name of the header that holds the signature')
    if (given.header !== undefined && given.scheme !== 'hmac' && given.scheme !== 'bearer')
      problem('header', `it has no effect with scheme ${given.scheme}`)
    for (const each of given.scheme === 'standard' ? given.secret : []) {
      const parsed = parseVerifyingSecret(each)
      if (!parsed.ok) problem('secret', parsed.problem)
    }
    for (const name of ['algorithm', 'encoding', 'prefix'] as const)
      if (given[name] !== undefined && given.scheme !== 'hmac')
        problem(name, `it has no effect with scheme ${given.scheme}`)
  })

export type WebhookOptions = schema.output<typeof options>
