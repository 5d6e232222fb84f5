import { connect } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createAddresses } from './address.ts'
import { tokenHash } from './auth.ts'
import { type Route, routes } from './contract.ts'
import { createRateLimit, rateOf } from './pressure.ts'
import { adminToken, as, openTestServer, order, requestOf, sendRaw, shop } from './server.test-support.ts'

describe('on this machine, with tokens configured', () => {
  test('a request without a token may ingest and read, one with a wrong token nothing, and admin needs its own', async () => {
    const { call, publish } = await openTestServer({ subscriptions: { crm: {} } }, { tokens: [shop] })
    expect((await publish(order('1'))).status).toBe(201)
    expect((await call('/v1/events')).status).toBe(200)
    expect((await publish(order('2'), 'application/json', as('wrong-token'))).status).toBe(401)
    expect((await call('/v1/events', { headers: as('wrong-token') })).status).toBe(401)
    expect((await call('/v1/subscriptions/crm/pause', { method: 'POST' })).status).toBe(401)
    expect((await call('/v1/subscriptions/crm/pause', { method: 'POST', headers: as('shop-token') })).status).toBe(403)
    expect((await call('/v1/subscriptions/crm/pause', { method: 'POST', headers: as(adminToken) })).status).toBe(200)
  })

  test.each(['x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'forwarded', 'via'])(
    'what a proxy passes on with %s needs a token',
    async (name) => {
      const { call } = await openTestServer({}, { tokens: [shop] })
      expect((await call('/v1/events', { headers: { [name]: '203.0.113.7' } })).status).toBe(401)
      expect((await call('/v1/events', { headers: { [name]: '203.0.113.7', ...as('shop-token') } })).status).toBe(200)
    },
  )

  test('so does what asks for another name than that of this machine, or comes from a trusted proxy', async () => {
    const { port } = await openTestServer({}, { tokens: [shop], hosts: ['events.example.com'] })
    const get = (host: string, to: number) =>
      sendRaw(to, `GET /v1/events HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    expect(await get('events.example.com', port)).toMatch(/^HTTP\/1\.1 401 /)
    expect(await get('localhost', port)).toMatch(/^HTTP\/1\.1 200 /)
    const behind = await openTestServer({}, { tokens: [shop], trustedProxies: ['127.0.0.1'] })
    expect(await get('localhost', behind.port)).toMatch(/^HTTP\/1\.1 401 /)
  })
})

describe('rates', () => {
  // SEC-35
  test('beyond the limit a request is 429 with the seconds to wait; a token and an address each have their own', async () => {
    const tokens = [
      shop,
      { ...shop, name: 'slow', hash: tokenHash('slow-token'), rate: { perSecond: 1 / 60, count: 1, windowMs: 60_000 } },
    ]
    const { call } = await openTestServer({}, { tokens, rate: { perSecond: 0.001, burst: 3 } })
    const status = async (headers: Record<string, string> = {}) => (await call('/v1/events', { headers })).status
    expect([await status(), await status(), await status(), await status()]).toEqual([200, 200, 200, 429])
    expect(await status(as('shop-token'))).toBe(200)
    expect([await status(as('slow-token')), await status(as('slow-token'))]).toEqual([200, 429])
    const refused = await call('/v1/events', { headers: as('slow-token') })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
    expect(await refused.json()).toMatchObject({ code: 'rate-limited' })
  })

  // SEC-35
  test('guessing tokens is limited by address too', async () => {
    const { call } = await openTestServer({}, { tokens: [shop], rate: { perSecond: 0.001, burst: 2 } })
    const status = async (guess: string) => (await call('/v1/events', { headers: as(guess) })).status
    expect([await status('guess-1'), await status('guess-2'), await status('guess-3')]).toEqual([401, 401, 429])
  })

  // SEC-35
  test('the table of callers is bounded', () => {
    const limit = createRateLimit({ perSecond: 0.001, burst: 1 }, () => 0, 100)
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 200_000; i++) limit(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * 2 ** 20)
    expect(() => limit('10.3.13.63')).toThrow(/more than/)
    expect(() => limit('10.0.0.0')).not.toThrow()
  })

  test('as written, a window may come at once', () => {
    expect(rateOf({ perSecond: 0.5, count: 30 })).toEqual({ perSecond: 0.5, burst: 30 })
    expect(rateOf(undefined)).toBeUndefined()
  })
})

describe('where a request comes from', () => {
  const of = (trusted: readonly string[], address: string, forwarded?: string) =>
    createAddresses(trusted).of(requestOf(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }, address))

  // SEC-40
  test('is the other end, whatever a header says, unless that end is a trusted proxy', () => {
    expect(of([], '198.51.100.9', '203.0.113.7')).toBe('198.51.100.9')
    expect(of(['10.0.0.0/8'], '198.51.100.9', '203.0.113.7')).toBe('198.51.100.9')
    expect(of(['10.0.0.0/8'], '10.1.2.3', '203.0.113.7')).toBe('203.0.113.7')
    expect(of(['10.0.0.0/8'], '::ffff:10.1.2.3', '203.0.113.7')).toBe('203.0.113.7')
  })

  // SEC-40
  test('is what trusted proxies wrote, and not what stood there before', () => {
    expect(of(['10.0.0.0/8'], '10.1.2.3', '1.1.1.1, 203.0.113.7, 10.9.9.9')).toBe('203.0.113.7')
    expect(of(['10.0.0.0/8'], '10.1.2.3', 'no address')).toBe('10.1.2.3')
    expect(of(['10.0.0.0/8'], '10.1.2.3', '203.0.113.7, no address')).toBe('10.1.2.3')
    expect(of(['10.0.0.0/8'], '10.1.2.3')).toBe('10.1.2.3')
  })

  test('is one network of IPv6, however many addresses it has', () => {
    expect(of([], '2001:db8:0:1:aaaa::1')).toBe(of([], '2001:0db8::1:bbbb:0:0:2'))
    expect(of([], '2001:db8:0:1::1')).not.toBe(of([], '2001:db8:0:2::1'))
    expect(of([], '::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(of([], '::1')).toBe('0:0:0:0::/64')
  })

  // SEC-40
  test('decides whose rate is used up', async () => {
    const open = (trustedProxies: readonly string[]) =>
      openTestServer({}, { trustedProxies, rate: { perSecond: 0.001, burst: 1 } })
    const statuses = async ({ call }: Awaited<ReturnType<typeof open>>) =>
      Promise.all(
        ['203.0.113.1', '203.0.113.2'].map(
          async (ip) => (await call('/livez', { headers: { 'x-forwarded-for': ip } })).status,
        ),
      )
    expect((await statuses(await open([]))).sort()).toEqual([200, 429])
    expect(await statuses(await open(['127.0.0.0/8']))).toEqual([200, 200])
  })
})

describe('every route', () => {
  const all = Object.values<Route>(routes).map(
    ({ method, path }) => [method, path.replaceAll(/\{\w+\}/g, '1')] as const,
  )
  const send = async (method: string, path: string, headers: string) => {
    const { port } = await openTestServer()
    return sendRaw(port, `${method} ${path} HTTP/1.1\r\n${headers}Content-Length: 0\r\nConnection: close\r\n\r\n`)
  }

  // SEC-38, SEC-47
  test.each(all)('%s %s is 421 for a Host that is not known', async (method, path) => {
    expect(await send(method, path, 'Host: evil.test:7117\r\n')).toMatch(/^HTTP\/1\.1 421 /)
  })

  // SEC-48
  test.each(all)('%s %s is 403 for a page of another site', async (method, path) => {
    for (const header of ['Origin: https://evil.test', 'Origin: null', 'Sec-Fetch-Site: cross-site'])
      expect(await send(method, path, `Host: localhost\r\n${header}\r\n`)).toMatch(/^HTTP\/1\.1 403 /)
  })

  // SEC-44
  test('that changes something is no GET', () => {
    // What only administrators read.
    const { readAdminLog: _, ...others } = routes
    const changing = Object.values<Route>(others).filter(({ scope }) => scope === 'admin' || scope === 'ingest')
    expect(changing.length).toBeGreaterThan(4)
    expect(changing.filter(({ method }) => method === 'GET')).toEqual([])
  })

  // SEC-45
  test('that needs the scope admin is 401 without the token, also on this machine', async () => {
    const { call } = await openTestServer()
    for (const { method, path, scope } of Object.values<Route>(routes)) {
      if (scope !== 'admin') continue
      const answer = await call(path.replaceAll(/\{\w+\}/g, '1'), { method })
      expect(answer.status, `${method} ${path}`).toBe(401)
    }
  })
})

// SEC-29
test('connections beyond the limit are refused', async () => {
  const { port } = await openTestServer({}, { maxConnections: 2 })
  const sockets = Array.from({ length: 3 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  await vi.waitFor(() => expect(sockets.filter((socket) => socket.closed)).toHaveLength(1))
})

// SEC-42
test.each([
  ['x'.repeat(256), 400],
  ['x'.repeat(255), 201],
  ['a\u0007b', 400],
  ['a\nb', 400],
  ['', 400],
])('an event with the id %j is %i', async (id, status) => {
  const { publish } = await openTestServer()
  expect((await publish(order(id))).status).toBe(status)
})

// SEC-42
test('what another source has stored under an id is not told', async () => {
  const tokens = [{ ...shop, sources: ['shop'] }]
  const { publish } = await openTestServer({}, { tokens })
  await publish(order('7', { source: 'erp', data: { secret: 1 } }))
  const answer = await publish(order('7'), 'application/json', as('shop-token'))
  expect([answer.status, await answer.json()]).toEqual([
    201,
    expect.objectContaining({ source: 'shop', status: 'stored' }),
  ])
})
