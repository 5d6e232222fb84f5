import type { Json } from '../../core/event.ts'
import { parseRetryAfter } from '../../core/retry.ts'
import { webhookFailures } from '../../core/webhook-outcome.ts'
import type { HttpClient, HttpResponse } from '../../io/http-client.ts'

/** What came of one request for a page. */
export type Answer =
  | { readonly kind: 'page'; readonly body: Json; readonly headers: Readonly<Record<string, string>> }
  /** Nothing has changed since the page that the request named (304). */
  | { readonly kind: 'unchanged' }
  | {
      readonly kind: 'failed'
      /** For people; says nothing of what the answer holds. */
      readonly reason: string
      readonly retryAfterMs?: number | undefined
      /** The server does not understand this very request, and will not later. */
      readonly isRefused?: boolean | undefined
    }

const transient = new Set([401, 403, 407, 408, 425, 429])

/** Sorts an answer. Redirects are not followed (SEC-9). */
export function readAnswer(answer: Awaited<ReturnType<HttpClient['request']>>, nowMs: number, maxBody: number): Answer {
  if (answer.kind === 'blocked')
    return { kind: 'failed', reason: 'the egress rules do not allow the address: add it to egress.allow' }
  if (answer.kind === 'failed') return { kind: 'failed', reason: webhookFailures[answer.failure] }
  const { status, headers } = answer
  if (status === 304) return { kind: 'unchanged' }
  if (status === 204) return { kind: 'page', body: [], headers: plain(headers) }
  if (status < 200 || status > 299) return failedStatus(status, headers.get('retry-after'), nowMs)
  if (answer.isTruncated)
    return {
      kind: 'failed',
      reason: `the answer is larger than ${maxBody} bytes: raise maxBody, or ask for smaller pages`,
    }
  return readBody(answer)
}

function failedStatus(status: number, retryAfter: string | undefined, nowMs: number): Answer {
  const hint =
    status < 400
      ? ': redirects are not followed; set url to where it leads'
      : status === 401 || status === 403
        ? ': check the credentials in headers'
        : ''
  return {
    kind: 'failed',
    reason: `status ${status}${hint}`,
    retryAfterMs: retryAfter === undefined ? undefined : parseRetryAfter(retryAfter, nowMs),
    isRefused: status >= 400 && status < 500 && !transient.has(status),
  }
}

function readBody({ body, headers }: HttpResponse): Answer {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return { kind: 'failed', reason: 'the answer is not text in UTF-8' }
  }
  try {
    return { kind: 'page', body: parseJson(text), headers: plain(headers) }
  } catch {
    const type = /^[\w.+-]+\/[\w.+-]+/.exec(headers.get('content-type') ?? '')?.[0]
    const is = type === undefined || /json/i.test(type) ? 'not whole JSON' : `${type.slice(0, 100)} and not JSON`
    return { kind: 'failed', reason: `the answer is ${is}` }
  }
}

/** Whole numbers beyond 2^53 become text: rounded, two ids would be one. */
function parseJson(text: string): Json {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  return JSON.parse(text, (_, value: Json, context?: { readonly source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? context!.source
      : value,
  )
}

function plain(headers: ReadonlyMap<string, string>): Readonly<Record<string, string>> {
  return Object.fromEntries(headers)
}
