import { Pool } from 'undici'
import type { WebhookFailure } from '../core/webhook-outcome.ts'

/** One outbound request. Headers are a flat list of names and values, which costs least. */
export interface HttpRequest {
  readonly url: URL
  readonly headers: string[]
  readonly body: string | Uint8Array
  /** Aborted when nobody waits for the answer any more. */
  /** Tells when nobody waits for the answer any more: at once when that is so already. */
  onAbort(listener: () => void): void
}

/** What came back; never thrown. The body is read to its end and only its beginning is kept. */
export type HttpAnswer =
  | {
      readonly kind: 'response'
      readonly status: number
      readonly retryAfter: string | undefined
      readonly excerpt: string
    }
  | { readonly kind: 'failed'; readonly failure: WebhookFailure }
  | { readonly kind: 'blocked' }

/** Which addresses may be reached. `allows` is asked on every attempt; `connect` may watch the connection being made. */
export interface Egress {
  allows(url: URL): boolean
  readonly connect?: Pool.Options['connect']
}

/** Reaches everything. The place where the guard of the configuration's `egress` goes. */
export const openEgress: Egress = { allows: () => true }

export interface HttpClient {
  post(request: HttpRequest): Promise<HttpAnswer>
  /** Ends every connection. Called when nothing is under way any more. */
  close(): Promise<void>
}

export interface HttpClientOptions {
  readonly egress?: Egress | undefined
  /** How long a connection may stay unused; longer than the pauses of a quiet pipeline, shorter than usual servers close. */
  readonly keepAliveMs?: number | undefined
  /** Connections per origin at most; a connection is free one turn after its answer, and without a bound others are opened meanwhile. */
  readonly connections?: number | undefined
}

const excerptBytes = 1024
/** An answer's body longer than this costs its connection: reading on would serve nobody. */
const maxBodyBytes = 256 * 1024

/**
 * Opens the one way out: a pool of kept-alive connections per origin, no redirects, no proxies from the environment.
 * Whoever calls bounds what is under way (a subscription’s concurrency), and with `connections` how many are open.
 */
export function openHttpClient(options: HttpClientOptions = {}): HttpClient {
  const { egress = openEgress, keepAliveMs = 30_000, connections } = options
  const pools = new Map<string, Pool>()
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin)
    if (pool === undefined) {
      pool = new Pool(origin, {
        keepAliveTimeout: keepAliveMs,
        pipelining: 1,
        ...(connections !== undefined && { connections }),
        // The caller's signal is the one deadline; these timers only end what nobody waits for.
        headersTimeout: 0,
        bodyTimeout: 0,
        maxHeaderSize: 16 * 1024,
        ...(egress.connect !== undefined && { connect: egress.connect }),
      })
      pools.set(origin, pool)
    }
    return pool
  }
  return {
    post(request) {
      const { url } = request
      if (!egress.allows(url)) return Promise.resolve({ kind: 'blocked' })
      return send(poolOf(url.origin), request)
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
      pools.clear()
    },
  }
}

/** The types of bodies whose beginning is shown to people (SEC-13). */
const shownTypes = /^(text\/|application\/([\w.+-]*json|xml|problem\+json))/i

function send(pool: Pool, { url, headers, body, onAbort }: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve) => {
    let status = 0
    let retryAfter: string | undefined
    let isShown = false
    let kept: Buffer[] | undefined
    let keptBytes = 0
    let bodyBytes = 0
    let controller: { abort(reason: Error): void } | undefined
    let isAborted = false
    const done = resolve
    onAbort(() => {
      isAborted = true
      done({ kind: 'failed', failure: 'timeout' })
      controller?.abort(abortError)
    })
    if (isAborted) return
    const respond = (): void => {
      const excerpt = kept === undefined ? '' : excerptOf(kept)
      done({ kind: 'response', status, retryAfter, excerpt })
    }
    pool.dispatch(
      { path: url.pathname + url.search, method: 'POST', headers, body },
      {
        onRequestStart(given) {
          controller = given
          if (isAborted) given.abort(abortError)
        },
        onResponseStart(_, code, answerHeaders) {
          status = code
          if (code >= 200 && code < 300) return
          retryAfter = first(answerHeaders['retry-after'])
          isShown = shownTypes.test(first(answerHeaders['content-type']) ?? '')
        },
        onResponseData(given, chunk) {
          bodyBytes += chunk.length
          if (isShown && keptBytes < excerptBytes) {
            const part = chunk.subarray(0, excerptBytes - keptBytes)
            kept = kept === undefined ? [Buffer.from(part)] : [...kept, Buffer.from(part)]
            keptBytes += part.length
          }
          if (bodyBytes > maxBodyBytes) {
            respond()
            given.abort(abortError)
          }
        },
        // One turn later the connection mostly counts as free, so that the next request takes it instead of a new one.
        onResponseEnd: () => queueMicrotask(respond),
        onResponseError: (_, error) => done({ kind: 'failed', failure: failureOf(error) }),
      },
    )
  })
}

const abortError = new Error('nobody waits for the answer any more')

function first(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}

function excerptOf(parts: readonly Buffer[]): string {
  // A character cut at the end becomes U+FFFD, which is dropped; within the text it stays visible.
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/\ufffd$/, '')
    .replaceAll('\0', '')
}

/** Sorts an error of undici, Node or OpenSSL into what a user can act upon. */
function failureOf(error: unknown): WebhookFailure {
  const { code: given, name } = error as { code?: unknown; name?: unknown }
  const code = String(given ?? '')
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'ENODATA') return 'dns'
  if (code === 'ECONNREFUSED') return 'refused'
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET') return 'reset'
  if (code === 'ETIMEDOUT' || code.endsWith('_TIMEOUT')) return 'timeout'
  if (name === 'HTTPParserError' || code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW') return 'protocol'
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_MISMATCH)/.test(code)) return 'tls'
  return 'network'
}
