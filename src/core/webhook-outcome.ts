import type { Outcome } from './outcome.ts'
import { parseRetryAfter } from './retry.ts'

/** Why no answer came. The words are shown to people; they name no address. */
export const webhookFailures = {
  timeout: 'no answer within the timeout',
  dns: 'the host name could not be resolved',
  tls: 'the TLS connection could not be made',
  refused: 'the connection was refused',
  reset: 'the connection was closed before the answer',
  protocol: 'the answer was not valid HTTP',
  network: 'the host could not be reached',
} as const
export type WebhookFailure = keyof typeof webhookFailures

/** What one attempt met. */
export type WebhookAnswer =
  | {
      readonly kind: 'response'
      readonly status: number
      /** The `Retry-After` header as it came. */
      readonly retryAfter?: string | undefined
      /** The beginning of the body, at most 1 KiB. */
      readonly excerpt?: string | undefined
      readonly durationMs?: number | undefined
    }
  | { readonly kind: 'failed'; readonly failure: WebhookFailure; readonly durationMs?: number | undefined }
  /** The egress rules do not allow the address. */
  | { readonly kind: 'blocked' }

const passing = new Set([408, 409, 425, 429])

/**
 * The published table: 2xx ack; 408, 409, 425, 429, 5xx and everything without an answer retry; 3xx and every other 4xx
 * reject; 410 reject and disable the subscription; a blocked address reject. `isTold`: somebody wants to know about a success, too.
 */
export function webhookOutcome(answer: WebhookAnswer, nowMs: number, isTold = false): Outcome {
  if (answer.kind === 'blocked') return { outcome: 'reject', reason: 'the egress rules do not allow the address' }
  const { durationMs } = answer
  if (answer.kind === 'failed') {
    const detail = { error: answer.failure, ...(durationMs !== undefined && { durationMs }) }
    const reason = answer.failure === 'timeout' ? 'timeout' : webhookFailures[answer.failure]
    return { outcome: 'retry', reason, detail }
  }
  const { status, excerpt } = answer
  const detail = {
    status,
    ...(durationMs !== undefined && { durationMs }),
    ...(excerpt !== undefined && excerpt !== '' && { excerpt }),
  }
  // The body of a success is of no interest to most, and details make an attempt worth keeping.
  if (status >= 200 && status < 300) return isTold ? { outcome: 'ack', detail } : { outcome: 'ack' }
  if (status === 410) return { outcome: 'reject', reason: 'status 410: the endpoint is gone', detail, disable: true }
  if (!passing.has(status) && status < 500) {
    const hint = status < 400 ? ': redirects are not followed' : ''
    return { outcome: 'reject', reason: `status ${status}${hint}`, detail }
  }
  const retryAfterMs = answer.retryAfter === undefined ? undefined : parseRetryAfter(answer.retryAfter, nowMs)
  return { outcome: 'retry', reason: `status ${status}`, detail, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}
