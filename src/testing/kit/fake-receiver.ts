import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { AppError } from '../../core/errors.ts'
import { createVerifier, parseVerifyingSecret } from '../../io/signing.ts'
import { within } from '../within.ts'
import { heldMessages } from './under-way.ts'

/**
 * What a receiver answers: a status, more than that, or nothing. `timeout` leaves the request open until the sender gives
 * up, `reset` cuts the connection.
 */
export type ReceiverAnswer =
  | number
  | {
      readonly status: number
      readonly headers?: Readonly<Record<string, string>> | undefined
      readonly body?: string | undefined
    }
  | 'timeout'
  | 'reset'

/** One request that a receiver got. */
export interface ReceiverRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** By name in small letters. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
  /** The body as JSON; throws when it is none. */
  json(): unknown
  /** `webhook-id`: the same on every attempt. */
  readonly messageId: string | undefined
  /** True when it was signed with the receiver's secret; undefined when the receiver has none. Its age is not judged. */
  readonly isVerified: boolean | undefined
}

/** A real HTTP server on this machine that answers as a test says. */
export interface FakeReceiver extends AsyncDisposable {
  /** Where to post to. Any other path of it answers as well. */
  readonly url: string
  /** What has come so far, in order. */
  readonly received: readonly ReceiverRequest[]
  /** Resolves with the nth request, from 1, once it is there; throws when it does not come within 5 seconds of real time. */
  request(nth: number): Promise<ReceiverRequest>
  /** What is answered from now on, one by one; the last one again and again. */
  answer(...answers: readonly ReceiverAnswer[]): void
  close(): Promise<void>
}

const patienceMs = 5000

/**
 * Opens a receiver of webhooks. It answers as the list says, one by one, and the last one again and again.
 * Throws `usage` for a secret that is none.
 *
 * @example
 * await using receiver = await fakeReceiver([500, { status: 429, headers: { 'retry-after': '30' } }, 'timeout', 200])
 */
export async function fakeReceiver(
  answers: readonly ReceiverAnswer[] = [200],
  { secret }: { readonly secret?: string | undefined } = {},
): Promise<FakeReceiver> {
  const isVerified = secret === undefined ? () => undefined : verifierOf(secret)
  const received: ReceiverRequest[] = []
  const waiting = new Set<() => void>()
  let script = [...answers]

  const server = createServer(async (request, response) => {
    const answer = (script.length > 1 ? script.shift() : script[0]) ?? 200
    const body = await text(request)
    const taken = requestOf(request, body, isVerified(request, body))
    if (answer === 'timeout') hold(response, taken.messageId)
    received.push(taken)
    for (const look of waiting) look()
    if (answer === 'reset') request.socket.resetAndDestroy()
    else if (answer !== 'timeout') end(response, answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  const close = async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    request(nth) {
      const come = new Promise<ReceiverRequest>((resolve) => {
        const look = () => {
          if (received.length < nth) return
          waiting.delete(look)
          resolve(received[nth - 1]!)
        }
        waiting.add(look)
        look()
      })
      return within(patienceMs, `request ${nth} should come`, come)
    },
    answer(...next) {
      script = [...next]
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Nobody waits for the answer to this message until the sender has given up. */
function hold(response: ServerResponse, messageId: string | undefined): void {
  if (messageId === undefined) return
  heldMessages.add(messageId)
  response.once('close', () => heldMessages.delete(messageId))
}

function end(response: ServerResponse, answer: Exclude<ReceiverAnswer, string>): void {
  const { status, headers = {}, body = '' } = typeof answer === 'number' ? { status: answer } : answer
  response.writeHead(status, headers).end(body)
}

function requestOf(
  { method = '', url = '', headers }: IncomingMessage,
  body: string,
  isVerified: boolean | undefined,
): ReceiverRequest {
  const messageId = headerOf(headers, 'webhook-id')
  return { method, path: url, headers, body, json: () => JSON.parse(body) as unknown, messageId, isVerified }
}

function verifierOf(secret: string): (request: IncomingMessage, body: string) => boolean {
  const parsed = parseVerifyingSecret(secret)
  if (!parsed.ok) throw new AppError('usage', `opening the receiver failed: ${parsed.problem}`)
  const verify = createVerifier([parsed.key])
  return ({ headers }, body) => {
    const timestamp = headerOf(headers, 'webhook-timestamp') ?? ''
    const id = headerOf(headers, 'webhook-id') ?? ''
    const signature = headerOf(headers, 'webhook-signature') ?? ''
    return verify({ id, timestamp, signature, body }, Number(timestamp) * 1000)
  }
}

function headerOf(headers: IncomingMessage['headers'], name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}
