import type { Dispatcher, Pool } from 'undici'
import { type NoAnswer, noAnswerOf } from './http-failure.ts'

/** A request whose answer is read while it comes. */
export interface StreamRequest {
  /** Default: GET. */
  readonly method?: string | undefined
  readonly url: URL
  /** A flat list of names and values. */
  readonly headers: string[]
  readonly body?: string | Uint8Array | undefined
  /** Tells when nobody waits for the answer any more: at once when that is so already. */
  onAbort(listener: () => void): void
}

/** A request whose whole answer is wanted. */
export interface HttpRequest extends StreamRequest {
  /** What comes beyond is not read, and the answer says so. */
  readonly maxBodyBytes: number
}

/** Header names in lower case; several values of one name are joined with commas. */
export type HttpHeaders = ReadonlyMap<string, string>

/** A whole answer, whatever its status. */
export interface HttpResponse {
  readonly kind: 'response'
  readonly status: number
  readonly headers: HttpHeaders
  readonly body: Buffer
  /** The body was longer than `maxBodyBytes`; what lies beyond was not read. */
  readonly isTruncated: boolean
}

/** The beginning of an answer. The body must be read to its end or closed: it holds a connection. */
export interface HttpStream {
  readonly kind: 'response'
  readonly status: number
  readonly headers: HttpHeaders
  /** The bytes as they come. Iterating throws when the connection breaks or the request is aborted. */
  readonly body: AsyncIterable<Uint8Array>
  /** Reads no further. May be called at any time, also twice. */
  close(): void
}

/** Sends a request and answers as soon as the header is there. */
export async function openStream(
  pool: Pool,
  { method = 'GET', url, headers, body, onAbort }: StreamRequest,
): Promise<HttpStream | NoAnswer> {
  const controller = new AbortController()
  onAbort(() => controller.abort())
  let answer: Dispatcher.ResponseData
  try {
    answer = await pool.request({
      path: url.pathname + url.search,
      method: method as Dispatcher.HttpMethod,
      headers,
      ...(body !== undefined && { body }),
      signal: controller.signal,
      responseHeaders: 'raw',
    })
  } catch (error) {
    return controller.signal.aborted ? { kind: 'failed', failure: 'timeout' } : noAnswerOf(error)
  }
  const stream = answer.body
  // A body that was closed early ends with an error that nobody needs.
  stream.on('error', () => undefined)
  return {
    kind: 'response',
    status: answer.statusCode,
    headers: headersOf(answer.headers as unknown as readonly (Buffer | string)[]),
    body: stream,
    close: () => void stream.destroy(),
  }
}

/** Sends a request and answers when the body is there, or as much of it as is wanted. */
export async function readWhole(pool: Pool, request: HttpRequest): Promise<HttpResponse | NoAnswer> {
  let isAborted = false
  const onAbort = (listener: () => void): void =>
    request.onAbort(() => {
      isAborted = true
      listener()
    })
  const answer = await openStream(pool, { ...request, onAbort })
  if (answer.kind !== 'response') return answer
  const { status, headers } = answer
  const parts: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const part of answer.body) {
      parts.push(part)
      bytes += part.length
      if (bytes > request.maxBodyBytes) break
    }
  } catch (error) {
    return isAborted ? { kind: 'failed', failure: 'timeout' } : noAnswerOf(error)
  }
  const body = Buffer.concat(parts)
  const isTruncated = bytes > request.maxBodyBytes
  return { kind: 'response', status, headers, body: body.subarray(0, request.maxBodyBytes), isTruncated }
}

/** A map, because names come from outside. */
function headersOf(raw: readonly (Buffer | string)[]): HttpHeaders {
  const headers = new Map<string, string>()
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index]!.toString('latin1').toLowerCase()
    const value = raw[index + 1]!.toString('latin1')
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return headers
}
