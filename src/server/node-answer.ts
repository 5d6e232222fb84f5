import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ErrorCode, errorCodes } from '../core/errors.ts'
import type { ServerContext } from './context.ts'
import { type Answer, pageHeaders } from './http.ts'
import { writeLive } from './live.ts'
import { problem } from './problem.ts'

const asPage: readonly string[] = Object.entries(pageHeaders).flat()

/** Writes an answer. A body that was refused before it was read is read and thrown away for a moment, then cut off. */
export function writeAnswer(
  message: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  context: ServerContext,
): Promise<void> | undefined {
  const { status, type, body } = answer
  const headers: string[] = ['X-Content-Type-Options', 'nosniff']
  if (type !== undefined) headers.push('Content-Type', type)
  // The answer to a POST is not kept by anybody, and is no page.
  if (message.method !== 'POST') headers.push('Cache-Control', 'no-store', ...asPage)
  if (answer.headers !== undefined)
    for (const [name, value] of Object.entries(answer.headers)) headers.push(name, value)
  // While draining every answer is the last of its connection: idle ones would keep the server open.
  if (context.draining.aborted) headers.push('Connection', 'close')
  if (answer.live !== undefined) {
    writeLive(message, response, status, headers, answer.live, context.live)
    return undefined
  }
  if (typeof body === 'object') return writeStream(message, response, status, headers, body, context.idleMs)
  if (!message.complete) discardRest(message)
  const text = body ?? ''
  const bytes = Buffer.byteLength(text)
  if (status !== 204) headers.push('Content-Length', String(bytes))
  response.writeHead(status, headers)
  // As many bytes as characters is ASCII, which Node writes faster when told so.
  response.end(message.method === 'HEAD' ? '' : text, bytes === text.length ? 'latin1' : 'utf8')
  return undefined
}

/** Results waiting for a slow reader, at most; a sender that reads nothing before it has sent all gets this far. */
const maxUnread = 4 * 2 ** 20

async function writeStream(
  message: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  body: AsyncIterable<string>,
  idleMs: number,
): Promise<void> {
  response.writeHead(status, [...headers])
  for await (const text of body) {
    if (response.destroyed) break
    response.write(text)
    if (response.writableLength > maxUnread && !(await drained(response, idleMs))) {
      response.destroy()
      return
    }
  }
  // When it ended early there is a rest that nobody reads.
  if (!message.complete) discardRest(message)
  response.end()
}

async function drained(response: ServerResponse, idleMs: number): Promise<boolean> {
  try {
    await once(response, 'drain', { signal: AbortSignal.timeout(idleMs) })
    return true
  } catch {
    return false
  }
}

/** How long a refused sender may go on sending: long enough that most read the answer, which a reset would destroy. */
const lingerMs = 2_000

/** Reads and throws away what still comes of a request that is answered, for a moment. */
export function discardRest(message: IncomingMessage): void {
  message.resume()
  message.on('error', () => undefined)
  const timer = setTimeout(() => {
    if (!message.complete) message.socket.destroy()
  }, lingerMs)
  timer.unref()
  message.once('close', () => clearTimeout(timer))
}

/** What Node's parser refuses: answered with a problem, and the connection ends (SEC-30). */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const code = brokenCode(error.code)
  const { status, type, body } = problem(code, errorCodes[code].title.toLowerCase())
  const text = String(body)
  const head = `HTTP/1.1 ${status} ${reasons.get(status) ?? 'Bad Request'}\r\nConnection: close\r\nContent-Type: ${type}\r\n`
  socket.end(`${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
}

const reasons = new Map([
  [408, 'Request Timeout'],
  [413, 'Content Too Large'],
  [431, 'Request Header Fields Too Large'],
])

function brokenCode(code: string | undefined): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers-too-large'
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 'body-too-large'
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request-timeout' : 'bad-request'
}
