import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test, vi } from 'vitest'
import { createPipeline, type PipelineConfig } from '../index.ts'
import { framesOf, sequenceOf } from '../runtime/view-fixture.test-support.ts'
import { sse } from '../sinks/sse.ts'
import { memory } from '../stores/memory.ts'
import { tokenHash } from './auth.ts'
import { createHandler } from './handler.ts'
import { adminToken, limits, openTestServer, order, sendRaw } from './server.test-support.ts'

const feed: Partial<PipelineConfig> = { subscriptions: { feed: { match: ['order.*'], sink: sse() }, other: {} } }
const path = '/v1/subscriptions/feed/stream'
const orders = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => order(String(from + i)) as never)

/** Reads an answer until it has shown so many orders; then goes away. */
async function untilEvents(answer: Response, count: number): Promise<string> {
  const whole = /\nevent: order\.[^\n]*\n(?:data:[^\n]*\n)+\n/g
  const decoder = new TextDecoder()
  let text = ''
  let seen = 0
  for await (const part of answer.body as ReadableStream<Uint8Array>) {
    text += decoder.decode(part, { stream: true })
    for (let from = whole.lastIndex; ; from = whole.lastIndex, seen += 1) {
      if (whole.test(text)) continue
      whole.lastIndex = from
      break
    }
    if (seen >= count) break
  }
  return text
}

// S0-85
test('a stream has the headers of the format, says that it is connected, and shows what comes', async () => {
  const { call, pipeline } = await openTestServer(feed)
  const answer = await call(path)
  expect(answer.status).toBe(200)
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  })
  await pipeline.publish([...orders(1, 2), order('x', { type: 'stock.low' }) as never])
  const frames = framesOf(await untilEvents(answer, 2))
  const { incarnation } = pipeline.store
  expect(frames.map(({ id, event }) => [id, event])).toEqual([
    [`${incarnation}-0`, 'info'],
    [`${incarnation}-1`, 'order.placed'],
    [`${incarnation}-2`, 'order.placed'],
  ])
  expect(JSON.parse(frames[1]!.data)).toMatchObject({ specversion: '1.0', id: '1', sequence: '1', data: { total: 1 } })
  await vi.waitFor(async () => expect((await pipeline.subscription('feed')).view?.connections).toBe(0))
})

// S0-86, G24
test('a stream goes on from Last-Event-ID, from after, or from the oldest; the header is the newer one', async () => {
  const { call, pipeline } = await openTestServer(feed)
  await pipeline.publish(orders(1, 5))
  const { incarnation } = pipeline.store
  const sequences = async (query: string, id?: string, count = 1) => {
    const answer = await call(`${path}${query}`, id === undefined ? {} : { headers: { 'last-event-id': id } })
    return framesOf(await untilEvents(answer, count))
      .slice(1)
      .map(sequenceOf)
  }
  expect(await sequences('', `${incarnation}-3`, 2)).toEqual([4, 5])
  expect(await sequences('?after=3', undefined, 2)).toEqual([4, 5])
  expect(await sequences(`?after=${incarnation}-1`, `${incarnation}-4`)).toEqual([5])
  expect(await sequences('?after=4', '')).toEqual([5])
  expect(await sequences('?after=0', undefined, 5)).toEqual([1, 2, 3, 4, 5])
})

// G30
test('what cannot be gone on from is answered with 200 and a gap', async () => {
  const { call, pipeline } = await openTestServer(feed)
  await pipeline.publish(orders(1, 2))
  for (const [after, gap] of [
    ['99', { reason: 'ahead', from: 99, oldest: 1 }],
    ['elsewhere-1', { reason: 'incarnation', from: 1, oldest: 1 }],
    ['%0Aid:%205', { reason: 'incarnation', from: 0, oldest: 1 }],
  ] as const) {
    const answer = await call(`${path}?after=${after}`)
    expect(answer.status).toBe(200)
    const frames = framesOf(await untilEvents(answer, 2))
    expect(frames[1]).toMatchObject({ event: 'gap', id: `${pipeline.store.incarnation}-0` })
    expect(JSON.parse(frames[1]!.data)).toEqual(gap)
    expect(frames.slice(2).map(sequenceOf)).toEqual([1, 2])
  }
})

// S0-71
test('types narrow a stream, by comma or repeated, and never widen it', async () => {
  const { call, pipeline } = await openTestServer(feed)
  const types = ['order.placed', 'order.paid', 'stock.low', 'order.sent']
  await pipeline.publish(types.map((type, i) => order(String(i), { type }) as never))
  for (const query of ['type=order.paid,stock.*,order.sent', 'type=order.paid&type=stock.low&type=order.sent']) {
    const frames = framesOf(await untilEvents(await call(`${path}?after=0&${query}`), 2))
    expect(frames.slice(1).map(({ event }) => event)).toEqual(['order.paid', 'order.sent'])
  }
  for (const bad of ['type=a*b', 'kind=x', 'after=1&after=2']) {
    const answer = await call(`${path}?${bad}`)
    expect([bad, answer.status]).toEqual([bad, 400])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  }
})

test('only a subscription with the sink sse is a stream', async () => {
  const { call } = await openTestServer(feed)
  const codeOf = async (answer: Response) => [answer.status, ((await answer.json()) as { code: string }).code]
  expect(await codeOf(await call('/v1/subscriptions/nobody/stream'))).toEqual([404, 'subscription-unknown'])
  expect(await codeOf(await call('/v1/subscriptions/other/stream'))).toEqual([409, 'state-conflict'])
  const head = await call(path, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
})

test('a view is listed with its connections, and has no deliveries to pause, redrive or ask about', async () => {
  const { call, pipeline } = await openTestServer(feed)
  await pipeline.publish(orders(1, 3))
  const answer = await call(`${path}?after=0`)
  await untilEvents(answer, 3)
  const status = (await (await call('/v1/subscriptions/feed')).json()) as Record<string, unknown>
  expect(status).toMatchObject({ name: 'feed', state: 'running', sink: 'sse', head: 3, lag: 0, open: 0 })
  expect(status['view']).toMatchObject({ opened: 1, sent: 3, cut: 0 })
  const metrics = await (await call('/metrics')).text()
  expect(metrics).toContain('millrace_view_sent_total{subscription="feed"} 3\n')
  expect(metrics).not.toContain('millrace_subscription_lag_events{subscription="feed"}')
  const admin = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
  for (const [method, action, body] of [
    ['POST', 'pause', undefined],
    ['POST', 'resume', undefined],
    ['GET', 'dead', undefined],
    ['POST', 'dead/redrive', '{"all":true}'],
    ['POST', 'dead/discard', '{"all":true}'],
  ] as const) {
    const refused = await call(`/v1/subscriptions/feed/${action}`, { method, headers: admin, body: body as never })
    expect([action, refused.status]).toEqual([action, 409])
    expect(await refused.json()).toMatchObject({ code: 'state-conflict', detail: expect.stringContaining('a view') })
  }
  expect((await call('/v1/explain/1?subscription=feed')).status).toBe(409)
  const { ok, subscriptions } = await pipeline.audit()
  expect(ok).toBe(true)
  expect(subscriptions.map(({ name }) => name)).toEqual(['other'])
})

// SEC-47, SEC-48
test('pages of other origins and unknown hosts get no stream', async () => {
  const { call, port } = await openTestServer(feed)
  const origin = `http://127.0.0.1:${port}`
  const statusWith = async (headers: Record<string, string>): Promise<number> => {
    const answer = await call(path, { headers })
    await answer.body?.cancel()
    return answer.status
  }
  expect(await statusWith({ origin })).toBe(200)
  expect(await statusWith({ origin: 'https://evil.test' })).toBe(403)
  expect(await statusWith({ origin: 'null' })).toBe(403)
  expect(await statusWith({ 'sec-fetch-site': 'cross-site' })).toBe(403)
  const answer = await sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: evil.test:${port}\r\nConnection: close\r\n\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 421 /)
})

// SEC-58
test('connections are bounded, and a place is free again when its client has gone', async () => {
  const { call, pipeline } = await openTestServer({
    subscriptions: { feed: { sink: sse({ connections: 2 }) } },
  })
  const first = await call(path)
  const second = await call(path)
  const third = await call(path)
  expect([third.status, third.headers.get('retry-after')]).toEqual([503, '1'])
  await first.body?.cancel()
  await vi.waitFor(async () => {
    const again = await call(path)
    await again.body?.cancel()
    expect(again.status).toBe(200)
  })
  await second.body?.cancel()
  expect((await pipeline.subscription('feed')).view?.refused).toBeGreaterThan(0)
})

// SEC-46
test('streams end when the server drains and when the pipeline stops', async () => {
  const one = await openTestServer(feed)
  const answer = await one.call(path)
  one.server.drain()
  expect(framesOf(await answer.text())).toHaveLength(1)
  // A browser that is refused never comes back; one whose stream ends does.
  const late = await one.call(path)
  expect([late.status, await late.text()]).toEqual([200, expect.stringContaining('event: info')])
  const two = await openTestServer(feed)
  const other = await two.call(path)
  await two.pipeline.stop()
  expect(framesOf(await other.text())).toHaveLength(1)
})

// SEC-46, SEC-50, SEC-58
test('a stream opened with a token or a ticket ends soon after the token does', async () => {
  const token = 'mrt_for-tests-0123456789abcdef'
  const { call, pipeline } = await openTestServer(feed, {
    tokens: [{ name: 'page', hash: tokenHash(token), scopes: ['read'], expiresMs: Date.now() + 1_500 }],
  })
  const headers = { authorization: `Bearer ${token}` }
  const { ticket } = (await (await call('/v1/tickets', { method: 'POST', headers })).json()) as { ticket: string }
  const streams = [await call(path, { headers }), await call(`${path}?ticket=${ticket}&after=0`)]
  expect(streams.map(({ status }) => status)).toEqual([200, 200])
  expect((await call(`${path}?ticket=${ticket}`)).status).toBe(401)
  await pipeline.publish(orders(1, 1))
  for (const stream of streams) expect(framesOf(await stream.text()).at(-1)).toMatchObject({ event: 'order.placed' })
  expect((await call(path, { headers })).status).toBe(401)
}, 20_000)

// G24
test('a reader that takes nothing is cut off, holds little, and comes back without gap or double', async () => {
  const { port, pipeline } = await openTestServer({
    subscriptions: { feed: { sink: sse({ patience: '150ms', heartbeat: '50ms' }) } },
  })
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  let text = ''
  socket.setEncoding('utf8')
  socket.write(`GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`)
  const [first] = (await once(socket, 'data')) as [string]
  text += first
  socket.pause()
  const data = 'x'.repeat(8000)
  // As much as the buffers of the system hold, and more.
  for (let i = 0; i < 10; i++)
    await pipeline.publish(Array.from({ length: 200 }, (_, n) => order(`${i}-${n}`, { data }) as never))
  await vi.waitFor(async () => expect((await pipeline.subscription('feed')).view?.cut).toBe(1), 5000)
  socket.on('data', (part: string) => (text += part))
  socket.on('error', () => undefined)
  socket.resume()
  await once(socket, 'close')
  const whole = framesOf(text.slice(text.indexOf('\r\n\r\n') + 4)).filter(({ event }) => event === 'order.placed')
  expect(whole.length).toBeLessThan(2000)
  const rest = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'last-event-id': whole.at(-1)!.id! } })
  const more = framesOf(await untilEvents(rest, 2000 - whole.length)).filter(({ event }) => event === 'order.placed')
  expect([...whole, ...more].map(sequenceOf)).toEqual(Array.from({ length: 2000 }, (_, i) => i + 1))
}, 20_000)

// S0-27
test('a thousand clients each get every event once and in order', async () => {
  const { port, pipeline } = await openTestServer(feed)
  const clients = Array.from({ length: 1000 }, () => {
    const state = { count: 0, isInOrder: true, rest: '' }
    const socket = connect({ port, host: '127.0.0.1' }).setEncoding('latin1')
    socket.on('error', () => undefined)
    socket.write(`GET ${path} HTTP/1.0\r\nHost: localhost\r\n\r\n`)
    socket.on('data', (part: string) => {
      const lines = (state.rest + part).split('\n')
      state.rest = lines.pop()!
      for (const line of lines) {
        if (!line.startsWith('id: ') || line.endsWith('-0')) continue
        state.count += 1
        if (!line.endsWith(`-${state.count}`)) state.isInOrder = false
      }
    })
    return { socket, state }
  })
  await vi.waitFor(async () => expect((await pipeline.subscription('feed')).view?.connections).toBe(1000), 15_000)
  for (let i = 0; i < 5; i++) await pipeline.publish(orders(i * 20, 20))
  await vi.waitFor(() => expect(clients.every(({ state }) => state.count === 100)).toBe(true), 15_000)
  expect(clients.every(({ state }) => state.isInOrder)).toBe(true)
  for (const { socket } of clients) socket.destroy()
  await vi.waitFor(async () => expect((await pipeline.subscription('feed')).view?.connections).toBe(0), 15_000)
}, 40_000)

test('the fetch handler streams too, cuts a reader that takes nothing, and ends with the pipeline', async () => {
  await using pipeline = createPipeline({
    store: memory(),
    subscriptions: { feed: { sink: sse({ patience: '150ms' }) } },
  })
  await pipeline.start()
  const handler = createHandler(pipeline, { limits })
  const url = `http://localhost${path}`
  await pipeline.publish(orders(1, 3))
  const answer = await handler(new Request(`${url}?after=0`))
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(
    framesOf(await untilEvents(answer, 3))
      .slice(1)
      .map(sequenceOf),
  ).toEqual([1, 2, 3])
  expect((await pipeline.subscription('feed')).view?.connections).toBe(0)
  const stuck = await handler(new Request(url))
  await pipeline.publish(Array.from({ length: 100 }, (_, n) => order(`n${n}`, { data: 'x'.repeat(8000) }) as never))
  await vi.waitFor(async () => expect((await pipeline.subscription('feed')).view?.cut).toBe(1), 5000)
  await expect(stuck.text()).rejects.toThrow('cut off')
  const last = await handler(new Request(url))
  expect((await handler(new Request(url, { method: 'HEAD' }))).body).toBeNull()
  await pipeline.stop()
  expect(framesOf(await last.text())).toHaveLength(1)
  expect(await (await handler(new Request(url))).text()).toBe('')
})
