import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { loopbackEgress } from '../testing/loopback-egress.ts'
import { type HttpAnswer, type HttpClient, openHttpClient } from './http-client.ts'

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
  const client = openHttpClient({ egress: loopbackEgress, ...options })
  cleanups.push(() => client.close())
  return client
}

const never = new AbortController().signal
const post = (client: HttpClient, url: URL, signal = never): Promise<HttpAnswer> =>
  client.post(
    {
      url,
      headers: ['x-a', 'b'],
      body: 'héllo',
      onAbort: (listener) => (signal.aborted ? listener() : signal.addEventListener('abort', listener)),
    },
    (answer) => answer,
  )

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

  it('rejects with what the conclusion throws, and goes on', async () => {
    const { url } = await serve((_request, response) => response.writeHead(204).end())
    const client = open()
    const request = { url, headers: [], body: 'x', onAbort: () => undefined }
    const broken = client.post(request, () => {
      throw new Error('cannot be concluded')
    })
    await expect(broken).rejects.toThrow('cannot be concluded')
    expect(await post(client, url)).toMatchObject({ kind: 'response', status: 204 })
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
    expect(await failureOf(new URL('https://nothing.invalid/'))).toBe('dns')
  })

  // SEC-8
  it('keeps the host name for TLS, though it connects to an address', async () => {
    const named = Promise.withResolvers<string>()
    const server = createTlsServer({
      SNICallback: (name, done) => {
        named.resolve(name)
        done(null)
      },
    })
    server.on('tlsClientError', () => undefined)
    const port = await listen(server)
    const client = open({
      resolve: (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    expect(await post(client, new URL(`https://hook.example:${port}/`))).toEqual({ kind: 'failed', failure: 'tls' })
    expect(await named.promise).toBe('hook.example')
  })
})

const noAbort = (): void => undefined

describe('a request for a whole answer', () => {
  it('has method, headers and body, and gives status, headers and bytes whatever the status', async () => {
    const { url } = await serve((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text) => (body += text))
      request.on('end', () => {
        response.writeHead(404, {
          'x-seen': `${request.method} ${request.headers['x-a']} ${body}`,
          'set-cookie': ['a', 'b'],
        })
        response.end(Buffer.from([0, 255]))
      })
    })
    const client = open()
    const put = { method: 'PUT', url, headers: ['X-A', '1'], body: 'hé', onAbort: noAbort, maxBodyBytes: 10 }
    const answer = await client.request(put)
    if (answer.kind !== 'response') throw new Error(answer.kind)
    expect(answer).toMatchObject({ status: 404, isTruncated: false, body: Buffer.from([0, 255]) })
    expect(answer.headers.get('x-seen')).toBe('PUT 1 hé')
    expect(answer.headers.get('set-cookie')).toBe('a, b')
  })

  it('reads no more than is wanted, and says so', async () => {
    const closed = Promise.withResolvers<void>()
    const { url } = await serve((_, response) => {
      const more = (): void => void (response.destroyed || response.write('x'.repeat(65_536), more))
      more()
      response.on('close', () => closed.resolve())
    })
    const answer = await open().request({ url, headers: [], onAbort: noAbort, maxBodyBytes: 1000 })
    expect(answer).toMatchObject({ kind: 'response', isTruncated: true })
    expect(answer.kind === 'response' && answer.body.length).toBe(1000)
    await closed.promise
  })

  // SEC-77
  it('keeps header names of other people in a map', async () => {
    const raw = createTcpServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n__proto__: x\r\nconnection: close\r\n\r\n')),
    )
    const rawUrl = new URL(`http://127.0.0.1:${await listen(raw)}/`)
    const client = open()
    const answer = await client.request({ url: rawUrl, headers: [], onAbort: noAbort, maxBodyBytes: 10 })
    expect(answer.kind === 'response' && answer.headers.get('__proto__')).toBe('x')
    expect(await post(client, rawUrl)).toMatchObject({ status: 200 })
  })

  it('answers a timeout, refused addresses and failures as values', async () => {
    const asked = Promise.withResolvers<void>()
    const { url } = await serve((_, response) => {
      response.write('beginning')
      asked.resolve()
    })
    const controller = new AbortController()
    const onAbort = (listener: () => void) => controller.signal.addEventListener('abort', listener)
    const client = open()
    const answer = client.request({ url, headers: [], onAbort, maxBodyBytes: 10_000 })
    await asked.promise
    controller.abort()
    expect(await answer).toEqual({ kind: 'failed', failure: 'timeout' })
    const ask = (text: string) =>
      client.request({ url: new URL(text), headers: [], onAbort: noAbort, maxBodyBytes: 10 })
    expect(await ask('https://10.0.0.1/')).toEqual({ kind: 'blocked' })
    expect(await ask('https://nothing.invalid/')).toEqual({ kind: 'failed', failure: 'dns' })
    const already = { onAbort: (listener: () => void) => listener() }
    expect(await client.request({ url, headers: [], ...already, maxBodyBytes: 10 })).toEqual({
      kind: 'failed',
      failure: 'timeout',
    })
  })
})

describe('a request for a long answer', () => {
  it('gives the beginning at once and the bytes as they come, until it is closed', async () => {
    const closed = Promise.withResolvers<void>()
    const next = Promise.withResolvers<void>()
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('one')
      void next.promise.then(() => response.write('two'))
      response.on('close', () => closed.resolve())
    })
    const stream = await open().open({ url, headers: ['accept', 'text/event-stream'], onAbort: noAbort })
    if (stream.kind !== 'response') throw new Error(stream.kind)
    expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    const seen: string[] = []
    for await (const part of stream.body) {
      seen.push(Buffer.from(part).toString())
      next.resolve()
      if (seen.length === 2) break
    }
    expect(seen).toEqual(['one', 'two'])
    stream.close()
    stream.close()
    await closed.promise
  })

  it('ends with an error when it is aborted or the connection breaks', async () => {
    const sockets: Socket[] = []
    const { url } = await serve((request, response) => {
      sockets.push(request.socket)
      response.write('one')
    })
    const client = open()
    const read = async (onAbort: (listener: () => void) => void, then: () => void) => {
      const stream = await client.open({ url, headers: [], onAbort })
      if (stream.kind !== 'response') throw new Error(stream.kind)
      for await (const _ of stream.body) then()
    }
    const controller = new AbortController()
    const onAbort = (listener: () => void) => controller.signal.addEventListener('abort', listener)
    await expect(read(onAbort, () => controller.abort())).rejects.toThrow()
    await expect(read(noAbort, () => sockets.at(-1)!.destroy())).rejects.toThrow()
    expect(await client.open({ url: new URL('http://10.0.0.1/'), headers: [], onAbort: noAbort })).toEqual({
      kind: 'blocked',
    })
  })
})
