import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type HttpAnswer, type HttpClient, openEgress, openHttpClient } from './http-client.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  return { server, url: new URL(`http://127.0.0.1:${await listen(server)}/hook?x=1`) }
}

async function listen(server: Server | TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

function open(options: Parameters<typeof openHttpClient>[0] = {}): HttpClient {
  const client = openHttpClient(options)
  cleanups.push(() => client.close())
  return client
}

const never = new AbortController().signal
const post = (client: HttpClient, url: URL, signal = never): Promise<HttpAnswer> =>
  client.post({
    url,
    headers: ['x-a', 'b'],
    body: 'héllo',
    onAbort: (listener) => (signal.aborted ? listener() : signal.addEventListener('abort', listener)),
  })

describe('the http client', () => {
  it('posts the very bytes with the headers and reads the answer', async () => {
    let seen: unknown
    const { url } = await serve((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text) => (body += text))
      request.on('end', () => {
        seen = [request.method, request.url, request.headers['x-a'], request.headers['content-length'], body]
        response.writeHead(503, { 'retry-after': '7', 'content-type': 'text/plain' }).end('busy')
      })
    })
    expect(await post(open(), url)).toEqual({ kind: 'response', status: 503, retryAfter: '7', excerpt: 'busy' })
    expect(seen).toEqual(['POST', '/hook?x=1', 'b', '6', 'héllo'])
  })

  it('keeps its connections: no more than twice as many as requests under way', async () => {
    const sockets = new Set<Socket>()
    const { server, url } = await serve((request, response) => request.resume().on('end', () => response.end('ok')))
    server.on('connection', (socket) => sockets.add(socket))
    const client = open()
    for (let n = 0; n < 20; n++) await post(client, url)
    // The pool holds a spare one.
    expect(sockets.size).toBeLessThanOrEqual(2)
    const loop = async () => {
      for (let n = 0; n < 50; n++) await post(client, url)
    }
    await Promise.all(Array.from({ length: 8 }, loop))
    expect(sockets.size).toBeLessThanOrEqual(16)
  })

  // SEC-9
  it('does not follow redirects', async () => {
    let isFollowed = false
    const other = await serve((_, response) => {
      isFollowed = true
      response.end()
    })
    const { url } = await serve((_, response) => response.writeHead(307, { location: other.url.href }).end())
    expect(await post(open(), url)).toMatchObject({ kind: 'response', status: 307 })
    expect(isFollowed).toBe(false)
  })

  // SEC-13
  it('keeps at most 1 KiB of text, and nothing of other types or of a success', async () => {
    const { url } = await serve((request, response) => {
      const [status, type, body] = JSON.parse(decodeURIComponent(request.url!.slice(1))) as [number, string, string]
      response.writeHead(status, { 'content-type': type }).end(body)
    })
    const ask = async (...what: [number, string, string]) => {
      const answer = await post(open(), new URL(`/${encodeURIComponent(JSON.stringify(what))}`, url))
      return answer.kind === 'response' ? answer.excerpt : answer
    }
    expect(await ask(500, 'text/html; charset=utf-8', 'é'.repeat(2000))).toBe('é'.repeat(512))
    expect(await ask(400, 'application/problem+json', '{"title":"x"}')).toBe('{"title":"x"}')
    expect(await ask(500, 'image/png', 'png')).toBe('')
    expect(await ask(200, 'text/plain', 'fine')).toBe('')
  })

  it('answers at once and gives up the connection when the body does not end', async () => {
    const closed = Promise.withResolvers<void>()
    const { url } = await serve((_, response) => {
      response.writeHead(500, { 'content-type': 'text/plain' })
      const more = (): void => void (response.destroyed || response.write('x'.repeat(65_536), more))
      more()
      response.on('close', () => closed.resolve())
    })
    expect(await post(open(), url)).toMatchObject({ kind: 'response', status: 500, excerpt: 'x'.repeat(1024) })
    await closed.promise
  })

  it('ends the request when the signal aborts, before and within the answer', async () => {
    const closed = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { url } = await serve((_, response) => {
      response.write('beginning')
      response.on('close', () => closed.resolve())
      asked.resolve()
    })
    const controller = new AbortController()
    const answer = post(open(), url, controller.signal)
    await asked.promise
    controller.abort()
    expect(await answer).toEqual({ kind: 'failed', failure: 'timeout' })
    await closed.promise
    expect(await post(open(), url, controller.signal)).toEqual({ kind: 'failed', failure: 'timeout' })
  })

  it('says what kind of failure it was', async () => {
    const closing = createTcpServer((socket) => socket.once('data', () => socket.destroy()))
    const babbling = createTcpServer((socket) => socket.once('data', () => socket.end('220 smtp ready\r\n')))
    const gone = createTcpServer()
    const goneUrl = new URL(`http://127.0.0.1:${await listen(gone)}/`)
    await new Promise((resolve) => gone.close(resolve))
    const closingPort = await listen(closing)
    const client = open()
    const failureOf = async (url: URL) => {
      const answer = await post(client, url)
      return answer.kind === 'failed' ? answer.failure : answer
    }
    expect(await failureOf(goneUrl)).toBe('refused')
    expect(await failureOf(new URL(`http://127.0.0.1:${closingPort}/`))).toBe('reset')
    expect(await failureOf(new URL(`http://127.0.0.1:${await listen(babbling)}/`))).toBe('protocol')
    const { url } = await serve((_, response) => response.end())
    expect(await failureOf(new URL(`https://127.0.0.1:${url.port}/`))).toBe('tls')
    expect(await failureOf(new URL('http://nothing.invalid/'))).toBe('dns')
  })

  // SEC-11
  it('asks the egress rules on every attempt and connects to nothing they refuse', async () => {
    let requests = 0
    const { url } = await serve((request, response) => {
      requests++
      request.resume().on('end', () => response.end())
    })
    let isAllowed = true
    const client = open({ egress: { ...openEgress, allows: () => isAllowed } })
    expect(await post(client, url)).toMatchObject({ status: 200 })
    isAllowed = false
    expect(await post(client, url)).toEqual({ kind: 'blocked' })
    expect(requests).toBe(1)
  })
})
