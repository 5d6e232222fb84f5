import { AppError } from '../../core/errors.ts'
import type { Platform } from '../../core/platform.ts'
import { parseRetryAfter } from '../../core/retry.ts'
import type { HttpClient, HttpStream } from '../../io/http-client.ts'
import type { SourceContext } from '../../plugin/source.ts'
import type { SseOptions } from './options.ts'

/** How long a server may take to begin its answer. */
const answerMs = 30_000

/** An open stream, or why there is none. */
export type Connection =
  | { readonly kind: 'open'; readonly chunks: AsyncIterable<Uint8Array>; close(): void }
  /** The server said that there is no more to come. */
  | { readonly kind: 'over' }
  | { readonly kind: 'failed'; readonly error: AppError; readonly retryAfterMs: number | undefined }

/** Asks for the stream, to go on after an id. */
export async function connect(
  options: SseOptions,
  lastId: string,
  {
    client,
    platform,
    context,
  }: { readonly client: HttpClient; readonly platform: Platform; readonly context: SourceContext },
): Promise<Connection> {
  const { url, headers, idle } = options
  const own = new AbortController()
  const signal = AbortSignal.any([context.signal, own.signal])
  const timer = platform.after(answerMs, () => own.abort())
  const onAbort = (listener: () => void): void => {
    if (signal.aborted) listener()
    else signal.addEventListener('abort', listener, { once: true })
  }
  const sent = ['accept', 'text/event-stream', 'cache-control', 'no-store', ...Object.entries(headers).flat()]
  // An id with characters that no header carries is that of a server which could not read it back either.
  if (/^[\x20-\x7e\xa0-\xff]+$/.test(lastId)) sent.push('last-event-id', lastId)
  const answer = await client.open({ url, headers: sent, onAbort })
  timer.cancel()
  const failed = (why: string, retryAfterMs?: number): Connection => ({
    kind: 'failed',
    retryAfterMs,
    // The rest of the URL may be a secret (SEC-79).
    error: new AppError('plugin-failed', `reading the event stream of ${url.origin} failed: ${why}`),
  })
  if (answer.kind === 'blocked')
    return failed('egress does not allow the address; if it is meant, name it in egress.allow')
  if (answer.kind === 'failed') return failed(failures[answer.failure] ?? 'the connection failed')
  if (answer.status === 200 && isStream(answer)) {
    return { kind: 'open', close: () => own.abort(), chunks: watched(answer, idle, platform) }
  }
  answer.close()
  own.abort()
  if (answer.status === 204) return { kind: 'over' }
  const retryAfter = answer.headers.get('retry-after')
  const waitMs = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter, context.clock.now())
  return failed(answer.status === 200 ? 'the answer is no text/event-stream' : `it answered ${answer.status}`, waitMs)
}

const failures: Readonly<Partial<Record<string, string>>> = {
  dns: 'the name cannot be resolved',
  refused: 'the connection was refused',
  reset: 'the connection was reset',
  timeout: 'no answer came in time',
  tls: 'the certificate or the TLS handshake is not right',
  protocol: 'the answer is no HTTP',
}

function isStream({ headers }: HttpStream): boolean {
  return /^text\/event-stream *(;|$)/i.test(headers.get('content-type') ?? '')
}

/** The chunks until the stream ends, breaks, or is silent for too long: all are reasons to connect again, and none is an error. */
async function* watched(stream: HttpStream, idleMs: number, platform: Platform): AsyncGenerator<Uint8Array, void> {
  const arm = () => platform.after(idleMs, () => stream.close())
  let timer = arm()
  try {
    for await (const chunk of stream.body) {
      timer.cancel()
      yield chunk
      timer = arm()
    }
  } catch {
    // A broken connection is how most streams end.
  } finally {
    timer.cancel()
    stream.close()
  }
}
