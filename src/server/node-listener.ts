import type { IncomingMessage, ServerResponse } from 'node:http'
import { discardRest } from './node-answer.ts'

/** What `node:http` and Express call for each request. Express gives `next`, which is told what goes wrong. */
export type NodeListener = (message: IncomingMessage, response: ServerResponse, next?: (error: unknown) => void) => void

/**
 * A fetch handler as a listener of `node:http`, to mount in Express, Connect or a plain server: bodies and answers are
 * streamed both ways, and the request's signal aborts when the client goes away.
 *
 * @example
 * app.use('/events-api', toNodeListener(pipeline.handler))
 */
export function toNodeListener(handler: (request: Request) => Response | Promise<Response>): NodeListener {
  return (message, response, next) => {
    answer(handler, message, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else if (next !== undefined) next(error)
      else response.writeHead(500).end()
    })
  }
}

async function answer(
  handler: (request: Request) => Response | Promise<Response>,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  response.on('error', () => undefined)
  const { status, headers, body } = await handler(requestOf(message, gone.signal))
  const list: string[] = []
  for (const [name, value] of headers) list.push(name, value)
  if (!message.complete) discardRest(message)
  response.writeHead(status, list)
  if (body === null) response.end()
  else await pipe(body, response)
}

function requestOf(message: IncomingMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', headers: given } = message
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) {
    for (const each of Array.isArray(value) ? value : [value ?? '']) headers.append(name, each)
  }
  const hasBody = method !== 'GET' && method !== 'HEAD'
  if (hasBody && message.readableDidRead) {
    throw new Error('the body of the request was read before it came here: mount this before any body parser')
  }
  const address = new URL(`${protocolOf(message)}://${given.host ?? 'localhost'}`)
  // Set apart from the host, a path that begins with two slashes stays a path.
  const [path = '/', ...query] = url.split('?')
  address.pathname = path
  address.search = query.join('?')
  return new Request(address, {
    method,
    headers,
    signal,
    ...(hasBody && { body: bodyOf(message), duplex: 'half' }),
  } as RequestInit)
}

/** As Express sees it, which knows what its proxy says; else as the connection is. */
function protocolOf(message: IncomingMessage & { readonly protocol?: unknown }): string {
  if (typeof message.protocol === 'string') return message.protocol
  return 'encrypted' in message.socket ? 'https' : 'http'
}

/** What a body holds before its reader must take some. */
const queuedBytes = 64 * 1024

/** The body as it arrives. Cancelled, the rest is thrown away: the connection still has to carry the answer. */
function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  let isOver = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (finish: () => void) => (): void => {
          if (!isOver) finish()
          isOver = true
        }
        const cut = end(() => controller.error(new Error('the request ended before its body did')))
        message.on('data', (part: Buffer) => {
          if (isOver) return
          controller.enqueue(part)
          if ((controller.desiredSize ?? 0) <= 0) message.pause()
        })
        message
          .on(
            'end',
            end(() => controller.close()),
          )
          .on('error', cut)
          .on('close', cut)
        message.pause()
      },
      pull: () => void message.resume(),
      cancel() {
        isOver = true
        message.resume()
      },
    },
    { highWaterMark: queuedBytes, size: (bytes) => bytes?.byteLength ?? 0 },
  )
}

async function pipe(body: ReadableStream<Uint8Array>, response: ServerResponse): Promise<void> {
  // A stream of events says that it is there before its first event.
  response.flushHeaders()
  const reader = body.getReader()
  let proceed: (() => void) | undefined
  response.on('drain', () => proceed?.())
  response.on('close', () => {
    proceed?.()
    reader.cancel().catch(() => undefined)
  })
  if (response.destroyed) await reader.cancel()
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (response.write(part.value) || response.destroyed) continue
    await new Promise<void>((resolve) => {
      proceed = resolve
    })
  }
  response.end()
}
