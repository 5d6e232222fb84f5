import type { ViewConnection } from '../runtime/api.ts'

/** A request as the routes see it: the same whether it came by `node:http` or as a fetch `Request`. */
export interface HttpRequest {
  readonly method: string
  /** As it was sent, without the query; never decoded. */
  readonly path: string
  /** What follows the `?`; empty without one. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Where the other end is, when that is known. */
  readonly address: string | undefined
  /** Aborted when the other end goes away before it is answered, where that is noticed. */
  readonly gone?: AbortSignal | undefined
  /**
   * Reads all of the body, at most `limitBytes`: beyond it `body-too-large`. `hold` is told of every chunk before it is
   * kept and may throw. Called once at most, and not with `chunks`.
   */
  readBody(limitBytes: number, hold?: (bytes: number) => void): Promise<Uint8Array>
  /** The body as it arrives; throws when the other end goes away, sends nothing for `idleMs`, or the signal aborts. */
  chunks(idleMs: number, signal: AbortSignal): AsyncIterable<Uint8Array>
}

/** What a route answers. A body that is a sequence of texts is streamed. */
export interface Answer {
  readonly status: number
  readonly type?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | AsyncIterable<string> | undefined
  /** In place of a body: bytes that come for as long as both sides want. To be opened in any case but a HEAD request. */
  readonly live?: ViewConnection | undefined
}

/** What a browser is told that shows an answer as a page: to run nothing in it, frame it nowhere, and tell nobody of it. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/** One header's text: the first when it was sent more than once. */
export function headerOf(request: HttpRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' || value === undefined ? value : value[0]
}

/** A JSON answer. */
export function json(value: unknown, status = 200, headers?: Readonly<Record<string, string>>): Answer {
  return { status, type: 'application/json', body: JSON.stringify(value), headers }
}
