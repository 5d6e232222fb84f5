import { AppError } from '../core/errors.ts'
import type { Pipeline } from '../runtime/api.ts'
import type { FaceOptions, ServerLimits } from './context.ts'
import { contextOf } from './context-of.ts'
import { type Answer, type HttpRequest, pageHeaders } from './http.ts'
import { type LiveStreams, liveBody } from './live.ts'
import { serve } from './serve.ts'

export interface HandlerOptions extends Omit<FaceOptions, 'limits'> {
  /** Default: 1 MiB, 10,000 events, 64 levels. */
  readonly limits?: ServerLimits | undefined
  /** Where it is mounted, for example `/events-api`: removed from the front of the path. */
  readonly basePath?: string | undefined
}

/**
 * The HTTP API as a fetch handler, to mount in an application of your own. `Host` is that application's matter unless
 * `hosts` is given; pages of other origins are refused.
 */
export function createHandler(
  pipeline: Pipeline,
  options: HandlerOptions = {},
): (request: Request) => Promise<Response> {
  const { limits = defaultLimits } = options
  const context = contextOf(pipeline, { ...options, limits }, options.hosts, 'mounted', new AbortController().signal)
  const basePath = (options.basePath ?? '').replace(/\/+$/, '')
  return async (request) => {
    const answer = await serve(requestOf(request, basePath), context)
    return responseOf(answer, request.method === 'HEAD', context.live)
  }
}

const defaultLimits: ServerLimits = { bodyBytes: 2 ** 20, batch: 10_000, depth: 64 }

function requestOf(request: Request, basePath: string): HttpRequest {
  const url = new URL(request.url)
  const isBelow = basePath !== '' && url.pathname.startsWith(`${basePath}/`)
  const headers = new Map(request.headers)
  // Requests made in code have no Host; those of a browser to this very origin are told from others by it.
  if (!headers.has('host')) headers.set('host', url.host)
  if (headers.get('origin') === url.origin) headers.delete('origin')
  return {
    method: request.method,
    path: isBelow ? url.pathname.slice(basePath.length) : url.pathname,
    query: url.search.slice(1),
    headers: Object.fromEntries(headers),
    address: undefined,
    gone: request.signal,
    readBody: (limitBytes, hold) => readAll(request, limitBytes, hold),
    chunks: (idleMs, signal) => chunksOf(request, idleMs, signal),
  }
}

async function readAll(request: Request, limitBytes: number, hold?: (bytes: number) => void): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let size = 0
  try {
    for await (const part of request.body ?? []) {
      size += part.length
      if (size > limitBytes) throw new AppError('body-too-large', `the body is larger than ${limitBytes} bytes`)
      hold?.(part.length)
      parts.push(part)
    }
  } catch (error) {
    asCut(error)
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
}

/** What goes wrong in a body is the doing of who sends it. */
function asCut(error: unknown): never {
  if (error instanceof AppError) throw error
  throw new AppError('body-malformed', 'the request ended before its body did', { cause: error })
}

async function* chunksOf(request: Request, idleMs: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  if (request.body === null) return
  const reader = request.body.getReader()
  try {
    while (true) {
      const next = await withDeadline(reader.read().catch(asCut), idleMs, signal)
      if (next.done) return
      yield next.value
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** The promise, or `request-timeout` after so long, or `stopping` when the signal aborts. */
function withDeadline<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new AppError('stopping', 'the server is stopping: send the rest when it is back'))
    const timer = setTimeout(() => reject(new AppError('request-timeout', `nothing came for ${ms} ms`)), ms)
    timer.unref()
    signal.addEventListener('abort', stop)
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    })
  })
}

function responseOf({ status, type, headers, body, live }: Answer, isHead: boolean, streams: LiveStreams): Response {
  const all = new Headers(headers)
  if (type !== undefined) all.set('Content-Type', type)
  all.set('X-Content-Type-Options', 'nosniff')
  all.set('Cache-Control', 'no-store')
  for (const [name, value] of Object.entries(pageHeaders)) all.set(name, value)
  if (live !== undefined) return new Response(liveBody(live, streams), { status, headers: all })
  if (isHead || body === undefined || typeof body === 'string') {
    return new Response(isHead || typeof body !== 'string' ? null : body, { status, headers: all })
  }
  const encoder = new TextEncoder()
  const iterator = body[Symbol.asyncIterator]()
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next()
      if (next.done === true) controller.close()
      else controller.enqueue(encoder.encode(next.value))
    },
    async cancel() {
      await iterator.return?.()
    },
  })
  return new Response(stream, { status, headers: all })
}
