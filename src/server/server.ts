import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Chain } from '../core/chain.ts'
import { AppError, messageOf } from '../core/errors.ts'
import { isLoopbackHost } from '../core/loopback.ts'
import { adminLogOf } from '../runtime/admin-log.ts'
import type { Pipeline } from '../runtime/api.ts'
import type { Token } from './auth.ts'
import { BodyMessage } from './body-message.ts'
import type { FaceOptions, ServerContext } from './context.ts'
import { contextOf } from './context-of.ts'
import { loopbackHosts } from './guard.ts'
import { listen } from './listen.ts'
import { answerBrokenRequest, writeAnswer } from './node-answer.ts'
import { NodeRequest } from './node-request.ts'
import { problemAnswer } from './problem.ts'
import { serve } from './serve.ts'
import { type Reading, requestTimeout } from './whole-body.ts'

export interface ServerOptions extends FaceOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  /** How long a whole body may take; streams are bounded by `idleMs` instead. Default: 30 s. */
  readonly requestMs?: number | undefined
  /** How long the head of a request may take. Default: 10 s. */
  readonly headersMs?: number | undefined
  /** Default: 16,384, most of them streams. */
  readonly maxConnections?: number | undefined
}

export interface OpenServer {
  readonly url: string
  readonly port: number
  /** Takes other tokens in place of those it began with; what is streamed to a token that is gone ends (SEC-46). */
  replaceTokens(tokens: readonly Token[]): void
  /** From now on not ready: `/readyz` answers 503 and nothing new is taken, while everything else still answers. */
  drain(): void
  /** Drains, lets requests under way finish for at most so long, and closes. May be called again. */
  close(deadlineMs?: number): Promise<void>
}

/** Opens the HTTP API of a pipeline. A bind that others can reach needs tokens, or it is refused (SEC-41). */
export async function openServer(pipeline: Pipeline, options: ServerOptions): Promise<OpenServer> {
  const hasTokens = (options.tokens ?? []).length > 0
  const isLocal = isLoopbackHost(options.host)
  if (!isLocal && !hasTokens) {
    throw new AppError(
      'config-invalid',
      `the server was not started on ${options.host}: others can reach that address, so it needs tokens; add server.tokens, or bind to 127.0.0.1`,
    )
  }
  const draining = new AbortController()
  const named = options.hosts ?? []
  // Bound wider, with no names given, whoever found the way may have used any name.
  const hosts = isLocal || named.length > 0 ? [...loopbackHosts, bracketed(options.host), ...named] : undefined
  const context = contextOf(pipeline, options, hosts, isLocal ? 'loopback' : 'wide', draining.signal)
  const { server, stopSweep } = nodeServer(context, options)
  const sockets = socketsOf(server)
  await listen(server, options)
  await adminLogOf(pipeline.store)
    .recover()
    .catch((error: unknown) =>
      context.log.warn('reading what administrators had begun failed', { reason: messageOf(error) }),
    )
  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  return {
    port,
    url: `http://${bracketed(options.host)}:${port}`,
    replaceTokens: (tokens) => context.auth.replace(tokens),
    drain: () => draining.abort(),
    close(deadlineMs = 10_000) {
      draining.abort()
      closing ??= closeServer(server, sockets, deadlineMs).finally(stopSweep)
      return closing
    },
  }
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}

/** More are refused. Node would drop what is beyond its own count in silence, a `ce-` attribute perhaps. */
const maxHeaders = 100
const sweepMs = 2_000

function nodeServer(context: ServerContext, options: ServerOptions): { server: Server; stopSweep: () => void } {
  const requestMs = options.requestMs ?? 30_000
  const readings = new Chain<Reading>()
  const server = createServer({
    IncomingMessage: BodyMessage,
    headersTimeout: options.headersMs ?? 10_000,
    // Node's own would end streams too: bodies are timed by the sweep below.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(sweepMs, options.headersMs ?? sweepMs),
    keepAliveTimeout: 10_000,
    maxHeaderSize: 16_384,
    insecureHTTPParser: false,
    requireHostHeader: true,
  })
  server.maxHeadersCount = maxHeaders + 1
  server.maxConnections = options.maxConnections ?? 16_384
  server.maxRequestsPerSocket = 100_000
  const onRequest = (awaitsContinue: boolean) => (message: BodyMessage, response: ServerResponse<BodyMessage>) => {
    const request = new NodeRequest(message, response, readings, awaitsContinue)
    const refusal = refusalOf(message)
    const answered =
      refusal === undefined ? serve(request, context) : Promise.resolve(problemAnswer(refusal, context.log))
    answered
      .then((answer) => writeAnswer(message, response, answer, context))
      .catch((error: unknown) => {
        context.log.error('writing an answer failed', { reason: messageOf(error) })
        response.destroy()
      })
  }
  server.on('request', onRequest(false))
  server.on('checkContinue', onRequest(true))
  server.on('clientError', answerBrokenRequest)
  const sweep = setInterval(
    () => {
      const before = performance.now() - requestMs
      for (const reading of readings) if (reading.startedAt < before) reading.fail(requestTimeout())
    },
    Math.min(sweepMs, requestMs),
  )
  sweep.unref()
  return { server, stopSweep: () => clearInterval(sweep) }
}

/** What Node's parser lets through and we do not: too many headers, two hosts, a target that is not a path. */
function refusalOf({ rawHeaders, url }: IncomingMessage): AppError | undefined {
  if (rawHeaders.length > 2 * maxHeaders) {
    return new AppError('headers-too-large', `the request has more than ${maxHeaders} headers`)
  }
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  if (hosts > 1) return new AppError('bad-request', 'the request has more than one Host')
  if (url === undefined || !url.startsWith('/')) {
    return new AppError('bad-request', 'the target of the request is not a path: this is not a proxy')
  }
  return undefined
}

function socketsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return sockets
}

function closeServer(server: Server, sockets: ReadonlySet<Socket>, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => server.closeAllConnections(), deadlineMs)
    server.close(() => {
      clearTimeout(deadline)
      resolve()
    })
    server.closeIdleConnections()
    // Node counts a connection that never sent anything as busy.
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
  })
}
