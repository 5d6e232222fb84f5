import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { createVerifier, maxSignatures, parseVerifyingSecret } from '../../io/signing.ts'
import type { ReceivedRequest } from '../../plugin/source.ts'
import type { WebhookOptions } from './options.ts'

/** Tells whether a request comes from whom it should; never says why not. */
export type Check = (request: ReceivedRequest, nowMs: number) => boolean

/** The check of a scheme with its secrets. */
export function createCheck(options: WebhookOptions): Check {
  const { scheme, secret: secrets, tolerance } = options
  const isTimely = (seconds: string, nowMs: number): boolean =>
    /^\d{1,12}$/.test(seconds) && Math.abs(nowMs - Number(seconds) * 1_000) <= tolerance
  switch (scheme) {
    case 'standard':
      return standard(secrets, tolerance)
    case 'stripe':
      return stripe(secrets, isTimely)
    case 'slack':
      return slack(secrets, isTimely)
    case 'github':
      return plain(secrets, { header: 'x-hub-signature-256', algorithm: 'sha256', encoding: 'hex', prefix: 'sha256=' })
    case 'hmac': {
      const { header = '', algorithm = 'sha256', encoding = 'hex', prefix = '' } = options
      return plain(secrets, { header: header.toLowerCase(), algorithm, encoding, prefix })
    }
    case 'bearer':
      return bearer(secrets, (options.header ?? 'authorization').toLowerCase())
  }
}

type IsTimely = (seconds: string, nowMs: number) => boolean

/** Standard Webhooks, with the headers of Svix as well. */
function standard(secrets: readonly string[], toleranceMs: number): Check {
  const keys = secrets.map(parseVerifyingSecret).flatMap((parsed) => (parsed.ok ? [parsed.key] : []))
  const verify = createVerifier(keys, { toleranceMs })
  return ({ headers, body }, nowMs) => {
    const of = (name: string): string => headers[`webhook-${name}`] ?? headers[`svix-${name}`] ?? ''
    return verify({ id: of('id'), timestamp: of('timestamp'), signature: of('signature'), body }, nowMs)
  }
}

/** `Stripe-Signature: t=…,v1=…,v1=…` */
function stripe(secrets: readonly string[], isTimely: IsTimely): Check {
  return ({ headers, body }, nowMs) => {
    const parts = (headers['stripe-signature'] ?? '').split(',', 4 * maxSignatures).map((part) => part.trim())
    const valuesOf = (name: string): string[] =>
      parts.filter((part) => part.startsWith(`${name}=`)).map((part) => part.slice(name.length + 1))
    const [time = '', ...moreTimes] = valuesOf('t')
    if (moreTimes.length > 0 || !isTimely(time, nowMs)) return false
    const content = Buffer.concat([Buffer.from(`${time}.`), body])
    return anyListed(valuesOf('v1'), 'hex', secrets, 'sha256', content)
  }
}

/** `X-Slack-Signature: v0=…` over `v0:time:body`. */
function slack(secrets: readonly string[], isTimely: IsTimely): Check {
  return ({ headers, body }, nowMs) => {
    const time = headers['x-slack-request-timestamp'] ?? ''
    const signature = headers['x-slack-signature'] ?? ''
    if (!isTimely(time, nowMs) || !signature.startsWith('v0=')) return false
    const content = Buffer.concat([Buffer.from(`v0:${time}:`), body])
    return anyListed([signature.slice(3)], 'hex', secrets, 'sha256', content)
  }
}

interface Plain {
  readonly header: string
  readonly algorithm: string
  readonly encoding: 'hex' | 'base64'
  readonly prefix: string
}

/** A signature over the body alone; several of them stand in one header with commas or spaces between. */
function plain(secrets: readonly string[], { header, algorithm, encoding, prefix }: Plain): Check {
  return ({ headers, body }) => {
    const listed = (headers[header] ?? '').split(/[\s,]+/, maxSignatures)
    const presented = listed.filter((each) => each.startsWith(prefix)).map((each) => each.slice(prefix.length))
    return anyListed(presented, encoding, secrets, algorithm, body)
  }
}

function bearer(secrets: readonly string[], header: string): Check {
  const expected = secrets.map((secret) => Buffer.from(secret))
  return ({ headers }) => {
    const given = headers[header] ?? ''
    const token = header === 'authorization' ? (/^Bearer +(.*)$/i.exec(given)?.[1] ?? '') : given
    return anySame([Buffer.from(token)], expected)
  }
}

function anyListed(
  listed: readonly string[],
  encoding: 'hex' | 'base64',
  secrets: readonly string[],
  algorithm: string,
  content: Uint8Array,
): boolean {
  const presented = listed.slice(0, maxSignatures).map((text) => Buffer.from(text, encoding))
  return anySame(
    presented,
    secrets.map((secret) => hmac(algorithm, secret, content)),
  )
}

/** True when any of one side is any of the other; all pairs are compared, each in constant time (SEC-21, SEC-25). */
function anySame(presented: readonly Uint8Array[], expected: readonly Uint8Array[]): boolean {
  const wanted = expected.map(sha256)
  let isFound = false
  for (const each of presented) {
    const given = sha256(each)
    for (const one of wanted) isFound = timingSafeEqual(given, one) || isFound
  }
  return isFound
}

function hmac(algorithm: string, secret: string | Buffer, content: Uint8Array): Buffer {
  return createHmac(algorithm, secret).update(content).digest()
}

// Equal lengths for the comparison, whatever was presented.
function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
