import { hopHeader } from '../../core/hops.ts'
import type { Sign } from '../../io/signing.ts'

/** What an attempt is, besides its address: what a signature covers, and how far the event has come. */
export interface Signed {
  readonly id: string
  readonly timestampMs: number
  readonly body: string | Uint8Array
  readonly hops: number
}

/** The headers of every attempt as a flat list: who sends, and the user's own. */
export function fixedHeaders(given: Readonly<Record<string, string>>): readonly string[] {
  const own = Object.keys(given).some((name) => name.toLowerCase() === 'user-agent')
  return [...(own ? [] : ['user-agent', 'Millrace']), ...Object.entries(given).flat()]
}

/**
 * The headers of one attempt as a flat list: the fixed ones, those that say what the body is, those of Standard Webhooks.
 * `webhook-id` is the same on every attempt; `webhook-timestamp` is this attempt's, and what is signed is exactly what is sent.
 */
export function attemptHeaders(
  fixed: readonly string[],
  content: readonly string[],
  { id, timestampMs, body, hops }: Signed,
  sign?: Sign,
): string[] {
  const seconds = Math.floor(timestampMs / 1000)
  const headers = [
    ...fixed,
    ...content,
    'webhook-id',
    id,
    'webhook-timestamp',
    String(seconds),
    hopHeader,
    String(hops),
  ]
  if (sign !== undefined) headers.push('webhook-signature', sign(id, seconds, body))
  return headers
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/
const ours =
  /^(host|content-length|content-type|content-encoding|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*|webhook-.*|ce-.*|millrace-.*)$/i

/** What is wrong with a header of the user's, or undefined. Values are never part of the text: they are credentials. */
export function headerProblem(name: string, value: string): string | undefined {
  if (!token.test(name)) return 'a header name has only letters, digits and - and is at most 100 characters long'
  if (ours.test(name)) return `the header ${name.toLowerCase()} is set by Millrace and cannot be replaced`
  // Obs-text and controls: what a receiver or proxy between might read as another header.
  if (/[^\t\x20-\x7e]/.test(value)) return `the value of the header ${name} has a character that headers cannot carry`
  if (value.length > 8192) return `the value of the header ${name} is longer than 8192 characters`
  return undefined
}
