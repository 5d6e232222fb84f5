import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { sse } from '../sinks/sse.ts'
import { createAuth, tokenHash } from './auth.ts'
import { contextOf } from './context-of.ts'
import { serve } from './serve.ts'
import { adminToken, as, limits, openTestServer, requestOf, shop, withMembers } from './server.test-support.ts'
import { createTickets } from './tickets.ts'

const elsewhere = { 'x-forwarded-for': '203.0.113.7' }

describe('a token', () => {
  const caller = (auth: ReturnType<typeof createAuth>) => auth.identify('Bearer shop-token')

  // SEC-46
  test('is not known from the moment that it expires', () => {
    let now = 1_000
    const auth = createAuth({ tokens: [{ ...shop, expiresMs: 2_000 }] }, false, () => now)
    const found = caller(auth)
    expect(auth.isCurrent(found)).toBe(true)
    now = 2_000
    expect(auth.isCurrent(found)).toBe(false)
    expect(() => caller(auth)).toThrow(/not known/)
  })

  // SEC-46
  test('that is taken out is not known any more, and one that stays goes on', () => {
    const other = { name: 'other', hash: tokenHash('other-token'), scopes: ['read'] } as const
    const auth = createAuth({ tokens: [shop, other], adminToken })
    const [gone, stays] = [caller(auth), auth.identify('Bearer other-token')]
    auth.replace([other])
    expect(auth.isCurrent(gone)).toBe(false)
    expect(auth.isCurrent(stays)).toBe(true)
    expect(() => caller(auth)).toThrow(/not known/)
    expect(auth.identify(`Bearer ${adminToken}`).name).toBe('admin')
  })

  // SEC-46
  test('whose scopes change is another one', () => {
    const auth = createAuth({ tokens: [shop] })
    const before = caller(auth)
    auth.replace([{ ...shop, scopes: ['ingest'] }])
    expect(auth.isCurrent(before)).toBe(false)
    expect([...caller(auth).scopes]).toEqual(['ingest'])
  })

  // SEC-41
  test('that was the last one does not open what others can reach', () => {
    const auth = createAuth({ tokens: [shop] }, true)
    auth.replace([])
    expect([auth.isOpen, [...auth.anonymous(false).scopes]]).toEqual([false, []])
  })

  test('may be called anonymous and is a token all the same', () => {
    const auth = createAuth({ tokens: [{ ...shop, name: 'anonymous' }] })
    const found = caller(auth)
    auth.replace([])
    expect(auth.isCurrent(found)).toBe(false)
  })

  // SEC-36
  test('that is wrong costs less than a millisecond, no body and no question to the store', async () => {
    const { pipeline } = await openTestServer()
    const untouched = withMembers(pipeline, {
      get store(): never {
        throw new Error('the store was asked')
      },
    })
    const context = contextOf(
      untouched,
      { limits, tokens: [shop], adminToken },
      ['localhost'],
      'loopback',
      new AbortController().signal,
    )
    const request = requestOf({ ...as('wrong-token'), 'content-type': 'application/json' })
    const tries = 200
    expect((await serve(request, context)).status).toBe(401)
    const before = process.cpuUsage()
    for (let i = 0; i < tries; i++) await serve(request, context)
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1_000 / tries).toBeLessThan(1)
  })
})

describe('a ticket', () => {
  const view = { subscriptions: { feed: { sink: sse() } } }
  const open = async (url: string) => {
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const answer = await fetch(url, { signal: stop.signal })
    return answer.status
  }

  // SEC-50
  test('opens a stream once, and nothing else', async () => {
    const { call, server } = await openTestServer(view, { tokens: [shop] })
    const made = await call('/v1/tickets', { method: 'POST', headers: { ...elsewhere, ...as('shop-token') } })
    expect(made.status).toBe(201)
    const { ticket, expires } = (await made.json()) as { ticket: string; expires: string }
    expect(ticket).toMatch(/^mrt_[\w-]{43}$/)
    expect(Date.parse(expires) - Date.now()).toBeLessThanOrEqual(30_000)
    expect((await call(`/v1/events?ticket=${ticket}`)).status).toBe(400)
    expect((await call(`/v1/subscriptions/feed?ticket=${ticket}`, { headers: elsewhere })).status).toBe(401)
    const stream = `${server.url}/v1/subscriptions/feed/stream?ticket=${ticket}`
    expect(await open(`${stream}&after=0`)).toBe(200)
    expect(await open(stream)).toBe(401)
    expect(await open(`${server.url}/v1/subscriptions/feed/stream?ticket=mrt_made-up`)).toBe(401)
  })

  // SEC-50
  test('is made for those who may read only', async () => {
    const tokens = [{ ...shop, scopes: ['ingest'] as const }]
    const { call } = await openTestServer(view, { tokens })
    expect((await call('/v1/tickets', { method: 'POST', headers: as('shop-token') })).status).toBe(403)
    expect((await call('/v1/tickets', { method: 'POST', headers: elsewhere })).status).toBe(401)
  })

  // SEC-50
  test('lives for 30 seconds, and the table of them is bounded', () => {
    let now = 0
    const tickets = createTickets(() => now)
    const caller = createAuth({ tokens: [shop] }).identify('Bearer shop-token')
    const { ticket } = tickets.issue(caller)
    const other = tickets.issue(caller).ticket
    now = 29_999
    expect(tickets.redeem(ticket)).toBe(caller)
    now = 30_000
    expect(() => tickets.redeem(other)).toThrow(/too old/)
    for (let i = 0; i < 10_000; i++) tickets.issue(caller)
    expect(() => tickets.issue(caller)).toThrow(/unused/)
    now = 60_000
    expect(() => tickets.issue(caller)).not.toThrow()
  })

  // SEC-46, SEC-58
  test('does not outlive the token it was made with, nor does the stream it opened', async () => {
    const { call, server } = await openTestServer(view, { tokens: [shop] })
    const ticketOf = async () => {
      const made = await call('/v1/tickets', { method: 'POST', headers: as('shop-token') })
      return ((await made.json()) as { ticket: string }).ticket
    }
    const [used, unused] = [await ticketOf(), await ticketOf()]
    const stream = (ticket: string) => fetch(`${server.url}/v1/subscriptions/feed/stream?ticket=${ticket}`)
    const opened = await stream(used)
    const reader = opened.body!.getReader()
    let isDone = false
    const reading = (async () => {
      while (!isDone) isDone = (await reader.read()).done
    })()
    server.replaceTokens([])
    expect((await stream(unused)).status).toBe(401)
    await vi.waitFor(() => expect(isDone).toBe(true), { timeout: 5_000 })
    await reading
  })
})
