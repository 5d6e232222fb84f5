import { once } from 'node:events'
import { connect } from 'node:net'
import { onTestFinished } from 'vitest'
import { openPipeline, type PipelineConfig } from '../index.ts'
import type { Pipeline } from '../runtime/api.ts'
import { memory } from '../stores/memory.ts'
import { tokenHash } from './auth.ts'
import type { HttpRequest } from './http.ts'
import { type OpenServer, openServer, type ServerOptions } from './server.ts'

export const limits = { bodyBytes: 64 * 1_024, batch: 1_000, depth: 64 }
export const adminToken = 'mra_for-tests-0123456789abcdef'
/** A caller who may ingest and read, with the token `shop-token`. */
export const shop = { name: 'shop', hash: tokenHash('shop-token'), scopes: ['ingest', 'read'] } as const

/** The header of a caller with this token. */
export const as = (token: string) => ({ authorization: `Bearer ${token}` })

export interface TestServer {
  readonly pipeline: Pipeline
  readonly server: OpenServer
  readonly port: number
  /** `fetch` of a path of the server. */
  call(path: string, init?: RequestInit & { duplex?: 'half' }): Promise<Response>
  /** `POST /v1/events` with a body that is JSON already, or a value. */
  publish(body: unknown, type?: string, headers?: Record<string, string>): Promise<Response>
}

/** A pipeline on the memory store and its server on a free port; both end with the test. */
export async function openTestServer(
  config: Partial<PipelineConfig> = {},
  options: Partial<ServerOptions> = {},
  wrap: (pipeline: Pipeline) => Pipeline = (pipeline) => pipeline,
): Promise<TestServer> {
  const pipeline = await openPipeline({ store: memory(), ...config } as PipelineConfig)
  const server = await openServer(wrap(pipeline), { host: '127.0.0.1', port: 0, limits, adminToken, ...options })
  onTestFinished(async () => {
    await server.close(500)
    await pipeline.stop({ deadline: '1s' })
  })
  const call: TestServer['call'] = (path, init) => fetch(`${server.url}${path}`, init as RequestInit)
  return {
    pipeline,
    server,
    port: server.port,
    call,
    publish: (body, type = 'application/json', headers = {}) =>
      call('/v1/events', {
        method: 'POST',
        headers: { 'content-type': type, ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
      }),
  }
}

/** The pipeline with some of its members replaced. */
export function withMembers(pipeline: Pipeline, members: Partial<Pipeline>): Pipeline {
  return new Proxy(pipeline, {
    get(target, name) {
      const source = Object.hasOwn(members, name) ? members : target
      const value: unknown = Reflect.get(source, name, source)
      return typeof value === 'function' ? value.bind(source) : value
    },
  })
}

/** A request as the routes see it, whose body must not be read. */
export function requestOf(headers: Readonly<Record<string, string>>, address = '127.0.0.1'): HttpRequest {
  const unread = (): never => {
    throw new Error('the body was read')
  }
  return {
    method: 'POST',
    path: '/v1/events',
    query: '',
    headers: { host: 'localhost', ...headers },
    address,
    readBody: unread,
    chunks: unread,
  }
}

/** Sends bytes as they are and answers what came back until the other end closed. */
export async function sendRaw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part
  })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

export function order(id: string, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { source: 'shop', id, type: 'order.placed', data: { total: 1 }, ...more }
}
