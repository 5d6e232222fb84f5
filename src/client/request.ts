import { AppError, type ErrorCode, errorCodes, messageOf } from '../core/errors.ts'
import { parseRetryAfter } from '../core/retry.ts'
import type { Settings } from './settings.ts'
import type { PublishResult } from './types.ts'

/** Why a request stored nothing that we know of. */
export type Failure =
  /** The server is away or busy: the same events may be sent again. */
  | {
      readonly kind: 'away'
      readonly reason: string
      readonly afterMs: number | undefined
      /** False when it is certain that nothing was stored. */
      readonly mayBeStored: boolean
    }
  /** It will not take any event of ours, whenever we ask. */
  | { readonly kind: 'barred'; readonly error: AppError }

/** What one request brought. */
export type Answer =
  | { readonly kind: 'results'; readonly results: readonly PublishResult[] }
  /** The body as a whole was not taken: too large, or one event in it spoils it. */
  | { readonly kind: 'spoiled'; readonly error: { readonly code: string; readonly message: string } }
  | Failure

/** Sends events as one JSON array; never throws. */
export async function post(settings: Settings, texts: readonly string[], closing: AbortSignal): Promise<Answer> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(new Error(`no answer for ${settings.timeoutMs} ms`)), settings.timeoutMs)
  const onClosing = (): void => abort.abort(new Error('the client is closed'))
  closing.addEventListener('abort', onClosing)
  const aborted = new Promise<never>((_resolve, reject) => {
    abort.signal.addEventListener('abort', () => reject(abort.signal.reason))
  })
  const whole = async (): Promise<Answer> => {
    const answer = await settings.fetch(settings.endpoint, {
      method: 'POST',
      headers: { ...settings.headers },
      body: `[${texts.join(',')}]`,
      signal: abort.signal,
      redirect: 'manual',
    })
    return read(answer.status, answer.headers.get('retry-after'), await answer.text(), texts.length)
  }
  try {
    // The time holds for the whole of the answer, and also when the given fetch does not look at its signal.
    return await Promise.race([whole(), aborted])
  } catch (error) {
    const cause = (error as { cause?: { code?: unknown } }).cause?.code
    const reason = abort.signal.aborted ? messageOf(abort.signal.reason) : `${messageOf(error)} ${cause ?? ''}`.trim()
    return away(reason, undefined, !notReached.has(String(cause)))
  } finally {
    clearTimeout(timer)
    closing.removeEventListener('abort', onClosing)
  }
}

/** Nothing was sent when a connection failed like this. */
const notReached = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

function away(reason: string, afterMs: number | undefined, mayBeStored: boolean): Answer {
  return { kind: 'away', reason, afterMs, mayBeStored }
}

interface Body {
  readonly results?: readonly PublishResult[]
  readonly durability?: string
  readonly code?: string
  readonly detail?: string
  readonly outcome?: string
}

function read(status: number, retryAfter: string | null, text: string, sent: number): Answer {
  const body = bodyOf(text)
  const results = body.results
  if ((status === 200 || status === 422) && Array.isArray(results) && results.length === sent) {
    const { durability } = body
    return { kind: 'results', results: results.map((result) => ({ ...result, durability })) }
  }
  const { code = 'none', detail = `the server answered ${status}` } = body
  const waitMs = retryAfter === null ? undefined : parseRetryAfter(retryAfter, Date.now())
  if (status === 413 || (status === 400 && code === 'body-malformed')) {
    return { kind: 'spoiled', error: { code: status === 413 ? 'body-too-large' : code, message: detail } }
  }
  // 429 and the 503 of ours that do not say otherwise promise that nothing is stored (G3).
  if (status === 429 || (status === 503 && code !== 'none')) {
    return away(`${detail} (${code})`, waitMs, body.outcome === 'indeterminate')
  }
  // Also a success that is not ours: something between us and the server has answered.
  if (status >= 500 || status === 408 || status === 425 || (status >= 200 && status < 300)) {
    return away(`the answer ${status} is not one of a Millrace server`, waitMs, true)
  }
  const known = Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'bad-request'
  const why = status < 400 ? `it answered ${status}, and redirects are not followed: correct the url` : detail
  return { kind: 'barred', error: new AppError(known, `publishing failed: ${why}`, { facts: { status } }) }
}

function bodyOf(text: string): Body {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null ? body : {}
  } catch {
    return {}
  }
}
