import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { openPipeline } from '../index.ts'
import { memory } from '../stores/memory.ts'
import { tokenHash } from './auth.ts'
import { adminToken, as, limits, openTestServer, order, sendRaw, withMembers } from './server.test-support.ts'
import { openServer } from './server.ts'

describe('the connection', () => {
  const start = 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  // SEC-30, SEC-31
  test.each([
    ['Content-Length beside Transfer-Encoding', `${start}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`],
    ['two Content-Lengths', `${start}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['a negative Content-Length', `${start}Content-Length: -1\r\n\r\n{}`],
    ['an unknown Transfer-Encoding', `${start}Transfer-Encoding: chunked, wrong\r\n\r\n{}`],
    ['bare line feeds', 'POST /v1/events HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}'],
    ['a folded header', `${start}X-A: 1\r\n b\r\nContent-Length: 2\r\n\r\n{}`],
    ['a space before the colon', `${start}Content-Length : 2\r\n\r\n{}`],
    ['a chunk of no size', `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`],
    ['a line feed in a chunk extension', `${start}Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\n{}\r\n0\r\n\r\n`],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n'],
    ['two Hosts', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\nConnection: close\r\n\r\n'],
    [
      'a target of another server',
      'GET http://evil.test/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    ],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00'],
  ])('with %s is 400, closed, and nothing is stored', async (_name, bytes) => {
    const { port, pipeline, publish } = await openTestServer()
    expect(await sendRaw(port, bytes)).toMatch(/^HTTP\/1\.1 400 /)
    expect(pipeline.store.head()).toBe(0)
    expect((await publish(order('after'))).status).toBe(201)
  })

  // SEC-29
  test('with too large a head is 431', async () => {
    const { port } = await openTestServer()
    expect(await sendRaw(port, `GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    )
    const many = Array.from({ length: 101 }, (_, i) => `X-${i}: 1\r\n`).join('')
    const answer = await sendRaw(port, `GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${many}\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 431 /)
  })

  // SEC-29
  test('that never finishes its head, or its body, is 408', async () => {
    const { port } = await openTestServer({}, { headersMs: 100, requestMs: 100 })
    expect(await sendRaw(port, 'GET /livez HTTP/1.1\r\nHost: loc')).toMatch(/^HTTP\/1\.1 408 /)
    const answer = await sendRaw(port, `${start}Connection: close\r\nContent-Length: 50\r\n\r\n{`)
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
  })

  // SEC-31
  test('with a header __proto__ is answered as any other', async () => {
    const { port } = await openTestServer()
    const head = 'GET /livez HTTP/1.1\r\nHost: localhost\r\n__proto__: x\r\nconstructor: y\r\nConnection: close\r\n\r\n'
    expect(await sendRaw(port, head)).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('answers requests that are sent without waiting, in order', async () => {
    const { port } = await openTestServer()
    const post = (id: string, more = ''): string => {
      const body = JSON.stringify(order(id))
      return `${start}${more}Content-Length: ${body.length}\r\n\r\n${body}`
    }
    const text = await sendRaw(port, post('1') + post('2') + post('3', 'Connection: close\r\n'))
    expect([...text.matchAll(/"sequence":(\d)/g)].map((match) => match[1])).toEqual(['1', '2', '3'])
  })
})

describe('who may call', () => {
  const paths = ['/v1/events', '/v1/subscriptions', '/metrics', '/livez', '/readyz', '/openapi.json', '/nowhere']

  // SEC-38, SEC-47
  test.each(paths)('an unknown Host is 421 on %s', async (path) => {
    const { port } = await openTestServer()
    const text = await sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: evil.test:${port}\r\nConnection: close\r\n\r\n`)
    expect(text).toMatch(/^HTTP\/1\.1 421 /)
  })

  test.each(['localhost', 'LOCALHOST:1', '127.0.0.1:80', '[::1]:80'])('the Host %s is this machine', async (host) => {
    const { port } = await openTestServer()
    const text = await sendRaw(port, `GET /livez HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    expect(text).toMatch(/^HTTP\/1\.1 200 /)
  })

  // SEC-48
  test.each([
    ['Origin: https://evil.test', 403],
    ['Origin: null', 403],
    ['Sec-Fetch-Site: cross-site', 403],
    ['Origin: http://localhost', 200],
    ['Origin: https://ops.example', 200],
    ['Sec-Fetch-Site: none', 200],
  ])('a page with %s is %i', async (header, status) => {
    const { port } = await openTestServer({}, { origins: ['https://ops.example'] })
    const text = await sendRaw(
      port,
      `GET /v1/events HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`,
    )
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    // What a page may read is said to pages of configured origins only.
    expect(text.toLowerCase().includes('access-control')).toBe(header === 'Origin: https://ops.example')
  })

  // SEC-45
  test('admin needs the token also on this machine', async () => {
    const { call } = await openTestServer({ subscriptions: { crm: {} } })
    const pause = (authorization?: string) =>
      call('/v1/subscriptions/crm/pause', {
        method: 'POST',
        headers: authorization === undefined ? {} : { authorization },
      })
    const refused = await pause()
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('Bearer')
    expect((await pause('Bearer wrong')).status).toBe(401)
    expect((await pause(`Basic ${adminToken}`)).status).toBe(401)
    expect((await pause(`Bearer ${adminToken}`)).status).toBe(200)
  })

  test('with tokens each may what its scopes say, and publish its sources only', async () => {
    const tokens = [
      { name: 'shop', hash: tokenHash('shop-token'), scopes: ['ingest'], sources: ['shop'] },
      { name: 'viewer', hash: tokenHash('view-token'), scopes: ['read'] },
    ] as const
    const { call, publish } = await openTestServer({}, { tokens })
    const proxied = { 'x-forwarded-for': '203.0.113.7' }
    expect((await publish(order('1'), 'application/json', as('unknown'))).status).toBe(401)
    expect((await publish(order('1'), 'application/json', proxied)).status).toBe(401)
    expect((await publish(order('1'), 'application/json', as('shop-token'))).status).toBe(201)
    expect((await publish(order('1', { source: 'erp' }), 'application/json', as('shop-token'))).status).toBe(403)
    expect((await publish(order('2'), 'application/json', as('view-token'))).status).toBe(403)
    expect((await call('/v1/events', { headers: as('shop-token') })).status).toBe(403)
    expect((await call('/v1/events', { headers: as('view-token') })).status).toBe(200)
    expect((await call('/v1/events', { headers: proxied })).status).toBe(401)
    expect((await call('/metrics', { headers: proxied })).status).toBe(401)
    expect((await call('/livez', { headers: proxied })).status).toBe(200)
    const ready = await (await call('/readyz', { headers: proxied })).json()
    expect(ready).toEqual({ status: 'ok' })
  })

  // SEC-41
  test('an address that others can reach is refused without tokens', async () => {
    const pipeline = await openPipeline({ store: memory() })
    await expect(openServer(pipeline, { host: '0.0.0.0', port: 0, limits, adminToken })).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('tokens'),
    })
    await pipeline.stop()
  })

  test.each([
    ['another process listens there already', '127.0.0.1'],
    ['this machine has no such address', '192.0.2.1'],
  ])('an address that cannot be had: %s', async (why, host) => {
    const { port } = await openTestServer({})
    const pipeline = await openPipeline({ store: memory() })
    const tokens = [{ name: 'a', hash: tokenHash('a'), scopes: ['ingest' as const] }]
    await expect(openServer(pipeline, { host, port, limits, adminToken, tokens })).rejects.toMatchObject({
      code: 'address-unavailable',
      message: expect.stringMatching(new RegExp(`^the server was not started on ${host}:${port}: ${why}\\. \\w+`)),
    })
    await pipeline.stop()
  })

  // SEC-36: a body that never comes does not matter
  test('a caller who may not is answered before the body is read', async () => {
    const { port } = await openTestServer({}, { tokens: [{ name: 'a', hash: tokenHash('a'), scopes: ['ingest'] }] })
    const head =
      'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer b\r\nContent-Type: application/json\r\nContent-Length: 50\r\n'
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    socket.write(`${head}\r\n`)
    const [text] = (await once(socket, 'data')) as [string]
    expect(text).toMatch(/^HTTP\/1\.1 401 /)
    socket.destroy()
  })

  // SEC-44
  test('methods are what they are', async () => {
    const { call, pipeline } = await openTestServer({ subscriptions: { crm: {} } })
    const get = await call('/v1/subscriptions/crm/pause', { headers: { authorization: `Bearer ${adminToken}` } })
    expect(get.status).toBe(405)
    expect(get.headers.get('allow')).toBe('POST, OPTIONS')
    await call('/v1/subscriptions/crm?_method=DELETE', { headers: { 'x-http-method-override': 'DELETE' } })
    expect((await pipeline.subscription('crm')).state).toBe('running')
    expect((await call('/v1/events', { method: 'OPTIONS' })).status).toBe(204)
    const head = await call('/livez', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    for (const path of ['/v1//events', '/V1/events', '/v1/events/', '/v1/%65vents', '/']) {
      expect((await call(path)).status, path).toBe(404)
    }
  })
})

describe('closing', () => {
  test('draining is not ready at once, takes nothing new, and is alive', async () => {
    const { server, call, publish } = await openTestServer()
    expect((await call('/readyz')).status).toBe(200)
    server.drain()
    expect((await call('/readyz')).status).toBe(503)
    expect((await call('/livez')).status).toBe(200)
    const refused = await publish(order('1'))
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('5')
  })

  test('lets a request under way finish and closes idle connections', async () => {
    const gate = Promise.withResolvers<void>()
    const entered = Promise.withResolvers<void>()
    const { server, publish, port } = await openTestServer({}, {}, (pipeline) =>
      withMembers(pipeline, {
        ingest: async (records) => {
          entered.resolve()
          await gate.promise
          return pipeline.ingest(records)
        },
      }),
    )
    const idle = connect(port, '127.0.0.1')
    await once(idle, 'connect')
    const first = publish(order('1'))
    await entered.promise
    const closed = server.close(10_000)
    gate.resolve()
    expect((await first).status).toBe(201)
    await closed
    await vi.waitFor(() => expect(idle.destroyed || idle.readableEnded || !idle.writable).toBe(true))
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow()
  })

  test('ends at the deadline even when a request does not', async () => {
    const entered = Promise.withResolvers<void>()
    const { server, publish } = await openTestServer({}, {}, (pipeline) =>
      withMembers(pipeline, {
        ingest: () => {
          entered.resolve()
          return new Promise(() => undefined)
        },
      }),
    )
    const first = publish(order('1')).catch(() => 'cut')
    await entered.promise
    await server.close(20)
    expect(await first).toBe('cut')
  })

  test('ends a stream after what has been stored', async () => {
    const { server, port } = await openTestServer()
    const body = `${JSON.stringify(order('1'))}\n`
    const head =
      'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nContent-Length: 999\r\n'
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    let text = ''
    socket.on('data', (part: string) => {
      text += part
    })
    socket.on('error', () => undefined)
    socket.write(`${head}\r\n${body}`)
    await vi.waitFor(() => expect(text).toContain('"sequence":1'))
    await server.close(5_000)
    await vi.waitFor(() => expect(text).toContain('"code":"stopping"'))
    socket.destroy()
  })
})
