/** What a signature covers, besides the secret. */
export interface Signed {
  readonly id: string
  readonly timestampMs: number
  readonly body: string
}

/** Gives the value of `webhook-signature` for exactly these bytes. */
export type Sign = (id: string, timestampSeconds: number, body: string) => string

/**
 * The headers of one attempt as a flat list: the user's own, then those of CloudEvents and Standard Webhooks.
 * `webhook-id` is the same on every attempt, `webhook-timestamp` is this attempt's. Signing goes in here.
 */
export function attemptHeaders(fixed: readonly string[], { id, timestampMs, body }: Signed, sign?: Sign): string[] {
  const seconds = Math.floor(timestampMs / 1000)
  const headers = [...fixed, 'content-type', contentType, 'webhook-id', id, 'webhook-timestamp', String(seconds)]
  if (sign !== undefined) headers.push('webhook-signature', sign(id, seconds, body))
  return headers
}

/** The body is one CloudEvent in structured mode. */
export const contentType = 'application/cloudevents+json; charset=utf-8'

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/
const ours =
  /^(host|content-length|content-type|content-encoding|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*|webhook-.*)$/i

/** What is wrong with a header of the user's, or undefined. Values are never part of the text: they are credentials. */
export function headerProblem(name: string, value: string): string | undefined {
  if (!token.test(name)) return 'a header name has only letters, digits and - and is at most 100 characters long'
  if (ours.test(name)) return `the header ${name.toLowerCase()} is set by Millrace and cannot be replaced`
  // Obs-text and controls: what a receiver or proxy between might read as another header.
  if (/[^\t\x20-\x7e]/.test(value)) return `the value of the header ${name} has a character that headers cannot carry`
  if (value.length > 8192) return `the value of the header ${name} is longer than 8192 characters`
  return undefined
}
