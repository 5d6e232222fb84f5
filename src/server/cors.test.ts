import { expect, onTestFinished, test } from 'vitest'
import { createPipeline } from '../index.ts'
import { sse } from '../sinks/sse.ts'
import { memory } from '../stores/memory.ts'
import { createHandler } from './handler.ts'
import { limits, openTestServer, order, sendRaw } from './server.test-support.ts'

const origin = 'https://ops.example'
const open = () => openTestServer({ subscriptions: { feed: { sink: sse() } } }, { origins: [origin] })
const corsOf = (answer: Response): Record<string, string> =>
  Object.fromEntries([...answer.headers].filter(([name]) => name.startsWith('access-control') || name === 'vary'))
const shared = {
  'access-control-allow-origin': origin,
  'access-control-expose-headers': 'ETag, Retry-After',
  vary: 'Origin',
}

// SEC-48
test('a page of a configured origin may read every answer, and the answer names that origin alone', async () => {
  const { call, publish } = await open()
  expect(corsOf(await publish(order('1'), 'application/json', { origin }))).toEqual(shared)
  for (const path of ['/v1/events', '/v1/events/99', '/nowhere', '/livez'])
    expect(corsOf(await call(path, { headers: { origin } })), path).toEqual(shared)
  const pause = await call('/v1/subscriptions/feed/pause', { method: 'POST', headers: { origin } })
  expect([pause.status, corsOf(pause)]).toEqual([401, shared])
  const stream = await call('/v1/subscriptions/feed/stream', { headers: { origin } })
  expect([stream.status, corsOf(stream)]).toEqual([200, shared])
  await stream.body?.cancel()
})

// SEC-48
test('nobody else is told anything, whatever looks like a configured origin', async () => {
  const { call, port } = await open()
  for (const other of [
    'https://evil.test',
    'null',
    `${origin}.evil.test`,
    `${origin}:8443`,
    'http://ops.example',
    '*',
  ]) {
    const answer = await call('/v1/events', { headers: { origin: other } })
    expect([answer.status, corsOf(answer)], other).toEqual([403, {}])
    const asked = { origin: other, 'access-control-request-method': 'POST' }
    const preflight = await call('/v1/events', { method: 'OPTIONS', headers: asked })
    expect([preflight.status, corsOf(preflight)], other).toEqual([403, {}])
  }
  expect(corsOf(await call('/v1/events'))).toEqual({})
  const own = await call('/v1/events', { headers: { origin: `http://127.0.0.1:${port}` } })
  expect([own.status, corsOf(own)]).toEqual([200, {}])
  const rebound = await sendRaw(
    port,
    `GET /v1/events HTTP/1.1\r\nHost: evil.test\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`,
  )
  expect(rebound).toMatch(/^HTTP\/1\.1 421 /)
  expect(rebound.toLowerCase()).not.toContain('access-control')
})

// SEC-48
test('a preflight says what the path takes and which of the asked headers may be sent, and no more', async () => {
  const { call } = await open()
  const ask = (path: string, headers: Record<string, string>) => call(path, { method: 'OPTIONS', headers })
  const asked = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,Content-Type, ce-id, x-evil, cookie',
  }
  const answer = await ask('/v1/events', asked)
  expect([answer.status, corsOf(answer)]).toEqual([
    204,
    {
      ...shared,
      'access-control-allow-methods': 'POST, GET, HEAD, OPTIONS',
      'access-control-allow-headers': 'authorization, content-type, ce-id',
      'access-control-max-age': '600',
    },
  ])
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull()
  expect(corsOf(await ask('/v1/events', { origin }))).toEqual(shared)
  expect((await ask('/nowhere', asked)).status).toBe(404)
})

test('a mounted handler lets the pages of its own list read', async () => {
  const pipeline = createPipeline({ store: memory() })
  await pipeline.start()
  onTestFinished(() => pipeline.stop())
  const handle = createHandler(pipeline, { limits, origins: [origin] })
  const from = (page: string) => handle(new Request('http://app.test/v1/events', { headers: { origin: page } }))
  expect(corsOf(await from(origin))).toEqual(shared)
  expect(corsOf(await from('https://evil.test'))).toEqual({})
})
