import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express from 'express'
import { Hono } from 'hono'
import { openPipeline } from 'millrace'
import { createClient } from 'millrace/client'
import { createHandler, toNodeListener } from 'millrace/server'
import { sse } from 'millrace/sinks/sse'
import { memory } from 'millrace/stores/memory'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { eventsRoute } from '../../examples/next/events-route.ts'

// `pipeline.handler` as applications mount it, over real connections.

type Handler = (request: Request) => Promise<Response>
type Mount = (handler: Handler, pipeline: Parameters<typeof createHandler>[0]) => Server

const mounts: Readonly<Record<string, Mount>> = {
  'Express 5': (handler) => {
    const app = express()
    app.use('/events-api', toNodeListener(handler))
    app.use(express.json())
    app.post('/own', (request, response) => void response.json({ body: request.body as unknown }))
    return createServer(app)
  },
  Hono: (handler) => {
    const app = new Hono()
    app.mount('/events-api', handler)
    app.post('/own', async (context) => context.json({ body: await context.req.json() }))
    return createServer(toNodeListener((request) => app.fetch(request)))
  },
  // Next itself is not run here: its App Router hands such functions a Request and sends the Response that they answer.
  'a route module of Next': (_handler, pipeline) => {
    const route = eventsRoute(async () => pipeline)
    const own: Handler = async (request) => Response.json({ body: await request.json() })
    return createServer(
      toNodeListener((request) => {
        const isOwn = new URL(request.url).pathname === '/own'
        return isOwn ? own(request) : route[request.method as keyof typeof route](request)
      }),
    )
  },
  'node:http': (_handler, pipeline) => {
    const own: Handler = async (request) => Response.json({ body: await request.json() })
    const handler = createHandler(pipeline, { basePath: '/events-api' })
    return createServer((message, response) =>
      toNodeListener(message.url === '/own' ? own : handler)(message, response),
    )
  },
}

async function opened(mount: Mount) {
  const pipeline = await openPipeline({ store: memory(), subscriptions: { feed: { sink: sse() } } })
  onTestFinished(() => pipeline.stop({ deadline: '1s' }))
  const server = mount(pipeline.handler, pipeline)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => server.closeAllConnections())
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}/events-api`
  const post = (body: string, type = 'application/json') =>
    fetch(`${url}/v1/events`, { method: 'POST', body, headers: { 'content-type': type } })
  return { pipeline, port, url, post }
}

const order = (id: string) => JSON.stringify({ source: 'shop', id, type: 'order.placed', data: { total: 1 } })

describe.each(Object.entries(mounts))('in %s the API', (_name, mount) => {
  test('takes events, answers for them, and leaves the other routes alone', async () => {
    const { port, url, post } = await opened(mount)
    expect([(await post(order('1'))).status, (await post(order('1'))).status]).toEqual([201, 200])
    expect((await fetch(`${url}/v1/events/1`)).status).toBe(200)
    expect((await fetch(`${url}/v1/events/1`, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(`${url}/nothing`)).status).toBe(404)
    const own = await fetch(`http://127.0.0.1:${port}/own`, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    })
    expect(await own.json()).toEqual({ body: { a: 1 } })
    const client = createClient({ url, source: 'shop' })
    expect(await client.publish({ type: 'order.placed', id: '1', data: { total: 1 } })).toMatchObject({ sequence: 1 })
    await client.close()
  })

  // SEC-28
  test('refuses a body that is too large in words, and not by cutting the connection', async () => {
    const { pipeline, post } = await opened(mount)
    const answer = await post(JSON.stringify({ ...JSON.parse(order('1')), data: 'x'.repeat(3 * 2 ** 20) }))
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([413, 'body-too-large'])
    expect(pipeline.store.head()).toBe(0)
    expect((await post(order('2'))).status).toBe(201)
  })

  test('streams: lines are answered while more come', async () => {
    const { url } = await opened(mount)
    const lines = new TransformStream<Uint8Array, Uint8Array>()
    const writer = lines.writable.getWriter()
    const write = (text: string) => writer.write(new TextEncoder().encode(text))
    const answering = fetch(`${url}/v1/events`, {
      method: 'POST',
      body: lines.readable,
      headers: { 'content-type': 'application/x-ndjson' },
      duplex: 'half',
    } as RequestInit)
    await write(`${order('1')}\n`)
    const answer = (await answering).body!.getReader()
    const read = async () => new TextDecoder().decode((await answer.read()).value)
    expect(await read()).toContain('"sequence":1')
    await write(`${order('2')}\n`)
    expect(await read()).toContain('"sequence":2')
    await writer.close()
    while (!(await answer.read()).done);
  })

  test('streams events as they are published, and notices who goes away', async () => {
    const { pipeline, url } = await opened(mount)
    const connections = async () => (await pipeline.subscription('feed')).view?.connections
    const abort = new AbortController()
    const stream = await fetch(`${url}/v1/subscriptions/feed/stream`, { signal: abort.signal })
    expect(stream.headers.get('content-type')).toContain('text/event-stream')
    expect(await connections()).toBe(1)
    const reader = stream.body!.getReader()
    let text = ''
    await pipeline.publish([JSON.parse(order('1')), JSON.parse(order('2'))])
    while (!text.includes('"id":"2"')) text += new TextDecoder().decode((await reader.read()).value)
    abort.abort()
    await vi.waitFor(async () => expect(await connections()).toBe(0))
  })

  test('survives a client that goes away in the middle of its body', async () => {
    const { pipeline, port, post } = await opened(mount)
    const socket = connect(port, '127.0.0.1')
    const head = 'POST /events-api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    socket.write(`${head}Content-Length: 1000\r\n\r\n{"source":`)
    await once(socket, 'connect')
    await new Promise((resolve) => setTimeout(resolve, 20))
    socket.resetAndDestroy()
    expect((await post(order('1'))).status).toBe(201)
    expect(pipeline.store.head()).toBe(1)
  })
})

test('behind a body parser of Express the mistake is named, and nothing hangs', async () => {
  const app = express()
  app.use(express.json())
  const { post } = await opened((handler) => {
    app.use('/events-api', toNodeListener(handler))
    app.use((error: Error, _request: unknown, response: express.Response, _next: unknown) => {
      response.status(500).json({ error: error.message })
    })
    return createServer(app)
  })
  const answer = await post(order('1'))
  expect(answer.status).toBe(500)
  expect(await answer.text()).toContain('mount this before any body parser')
})

// SEC-48
test('a page of the same origin is told from one of another, also behind a proxy that Express trusts', async () => {
  const app = express().set('trust proxy', 'loopback')
  const { url } = await opened((handler) => {
    app.use('/events-api', toNodeListener(handler))
    return createServer(app)
  })
  const { host } = new URL(url)
  const from = async (origin: string, more: Record<string, string> = {}) =>
    (await fetch(`${url}/v1/events`, { headers: { origin, ...more } })).status
  expect(await from(`http://${host}`)).toBe(200)
  expect(await from('http://evil.test')).toBe(403)
  expect(await from(`https://${host}`)).toBe(403)
  expect(await from(`https://${host}`, { 'x-forwarded-proto': 'https' })).toBe(200)
})

test('a path that begins with two slashes is a path and no host', async () => {
  const seen: string[] = []
  const server = createServer(
    toNodeListener((request) => {
      seen.push(request.url)
      return new Response(null, { status: 204 })
    }),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  await fetch(`http://127.0.0.1:${port}//evil.test/x?a=1?b`)
  expect(seen).toEqual([`http://127.0.0.1:${port}//evil.test/x?a=1?b`])
})
