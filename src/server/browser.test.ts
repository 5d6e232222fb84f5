import { expect, test } from 'vitest'
import { recordingSink } from '../testing/recording-sink.ts'
import { type Route, routes } from './contract.ts'
import { adminToken, as, openTestServer, order, sendRaw, shop } from './server.test-support.ts'

const admin = as(adminToken)
const hostile = '<script>alert(1)</script>"><img src=x onerror=alert(1)>javascript:alert(1)'

/** A server that holds what an attacker wrote, wherever one may write. */
async function attacked() {
  const sink = recordingSink({ outcomes: () => ({ outcome: 'reject', reason: hostile }) })
  const server = await openTestServer({ subscriptions: { crm: { sink }, feed: {} } }, { tokens: [shop] })
  const event = order(hostile, { subject: hostile, data: { [hostile]: '=cmd|calc' }, meta: { note: hostile } })
  expect((await server.publish(event)).status).toBe(201)
  await server.pipeline.idle()
  return server
}

/** Every route that answers a GET, on what is there; streams end by themselves when the test does. */
const reading = Object.values<Route>(routes)
  .filter(({ method, path }) => method === 'GET' && !path.endsWith('/stream'))
  .map(({ path }) =>
    path
      .replace('{name}', 'crm')
      .replace(/\{sequence\}/, '1')
      .replace(/\{\w+\}/g, encodeURIComponent(hostile)),
  )

// SEC-51 SEC-52 SEC-57
test('no answer is a page, and a browser that shows one runs nothing in it and shows it in no frame', async () => {
  const { call } = await attacked()
  expect(reading.length).toBeGreaterThan(10)
  for (const path of [
    ...reading,
    `/v1/events?type=${encodeURIComponent(hostile)}`,
    `/${encodeURIComponent(hostile)}`,
  ]) {
    const answer = await call(path, { headers: admin })
    const text = await answer.text()
    expect(answer.headers.get('content-type'), path).toMatch(/^(application\/(problem\+)?json|text\/plain)/)
    expect(Object.fromEntries(answer.headers), path).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
    })
    if (!answer.headers.get('content-type')!.startsWith('text/plain')) expect(() => JSON.parse(text)).not.toThrow()
  }
})

// SEC-49
test('no answer sets a cookie, and a cookie opens nothing', async () => {
  const { call } = await openTestServer(
    { subscriptions: { crm: {} } },
    { tokens: [shop], trustedProxies: ['127.0.0.1'] },
  )
  const cookie = `token=${adminToken}; Authorization=Bearer ${adminToken}; session=${adminToken}`
  for (const path of reading) {
    const known = await call(path, { headers: admin })
    const stranger = await call(path, { headers: { cookie } })
    const nobody = await call(path)
    expect([known.headers.getSetCookie(), stranger.headers.getSetCookie()], path).toEqual([[], []])
    await nobody.text()
    expect(stranger.status, path).toBe(nobody.status)
    if (path.startsWith('/v1')) expect(stranger.status, path).toBe(401)
    await Promise.all([known.text(), stranger.text()])
  }
})

// SEC-57
test.each([
  '//v1/events',
  '/v1//events',
  '/v1/events/',
  '/V1/events',
  '/v1/%65vents',
  '/v1%2fevents',
  '/v1\\events',
  '/./v1/events',
  '/in/../v1/events',
  '/%2e%2e/v1/events',
  '/v1/subscriptions/..%2f..%2fevents',
  '/v1/subscriptions/crm%00',
  '//evil.test/%2e%2e',
  '/v1/events;x=/../..',
])('%s is no other way to a route, and leads nowhere else', async (path) => {
  const { port } = await openTestServer({ subscriptions: { crm: {} } })
  const answer = await sendRaw(
    port,
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminToken}\r\nConnection: close\r\n\r\n`,
  )
  expect(answer).toMatch(/^HTTP\/1\.1 40[04] /)
  expect(answer).not.toMatch(/^location:/im)
})
