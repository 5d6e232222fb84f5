import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { webhook } from '../sources/webhook.ts'
import { recordingLog } from '../testing/plugin-context.ts'
import { openTestServer, order, sendRaw, withMembers } from './server.test-support.ts'

const secret = 'a-secret-agreed-on-42'
const whsec = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const body = '{"type":"invoice.paid","data":{"total":12345678901234567890}}'

const sources = {
  billing: webhook({ scheme: 'standard', secret: whsec }),
  code: webhook({ scheme: 'github', secret }),
  chat: webhook({ scheme: 'slack', secret }),
  plain: webhook({ scheme: 'bearer', secret }),
}

async function opened(options: Parameters<typeof openTestServer>[1] = {}, wrap?: Parameters<typeof openTestServer>[2]) {
  const server = await openTestServer({ sources }, options, wrap)
  const post = (source: string, text: string, headers: Record<string, string> = {}) =>
    server.call(`/in/${source}`, {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/json', ...headers },
    })
  const standard = (id: string, text = body, at = Date.now()) =>
    post('billing', text, {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at / 1_000)),
      'webhook-signature': new Webhook(whsec).sign(id, new Date(at), text),
    })
  return { ...server, post, standard }
}

describe('a signed request', () => {
  test('is stored before it is answered, with the bytes of its data as they came', async () => {
    const { standard, pipeline } = await opened()
    const answer = await standard('msg_1')
    expect([answer.status, await answer.json()]).toEqual([
      201,
      { id: 'msg_1', source: 'billing', status: 'stored', sequence: 1, durability: 'memory' },
    ])
    expect(await pipeline.store.readMany([1])).toMatchObject([{ type: 'invoice.paid', record: { data: body } }])
    expect(pipeline.stats().sources['billing']).toMatchObject({ stored: 1 })
  })

  // SEC-22
  test('that is sent again is answered 200 as a duplicate, and stores nothing', async () => {
    const { standard, pipeline } = await opened()
    await standard('msg_1')
    // A retry has a new time and signature, a replay those of before: both are the same event.
    for (const at of [Date.now(), Date.now() - 60_000]) {
      const again = await standard('msg_1', body, at)
      expect([again.status, await again.json()]).toEqual([
        200,
        { id: 'msg_1', source: 'billing', status: 'duplicate', sequence: 1, durability: 'memory' },
      ])
    }
    expect(pipeline.store.head()).toBe(1)
    expect(pipeline.stats().sources['billing']).toMatchObject({ stored: 1, duplicate: 2 })
  })

  // SEC-22
  test('that is older than the ids are surely remembered for is unauthorized', async () => {
    const { standard, pipeline } = await opened()
    expect((await standard('msg_1', body, Date.now() - 301_000)).status).toBe(401)
    expect(pipeline.store.head()).toBe(0)
  })

  test('that says something else under the same id is a conflict', async () => {
    const { standard } = await opened()
    await standard('msg_1')
    const other = await standard('msg_1', '{"type":"invoice.voided"}')
    expect([other.status, await other.json()]).toEqual([
      409,
      expect.objectContaining({ code: 'event-conflict', sequence: 1 }),
    ])
  })

  test('of GitHub is github.push of its repository', async () => {
    const { post, pipeline } = await opened()
    const text = '{"repository":{"full_name":"octo/hello"}}'
    const signature = `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`
    const headers = { 'x-hub-signature-256': signature, 'x-github-event': 'push', 'x-github-delivery': 'd-1' }
    expect((await post('code', text, headers)).status).toBe(201)
    expect(await pipeline.store.readMany([1])).toMatchObject([
      { id: 'd-1', type: 'github.push', subject: 'octo/hello' },
    ])
  })

  test('that is the handshake of Slack is answered with its challenge, and stores nothing', async () => {
    const { post, pipeline } = await opened()
    const text = '{"type":"url_verification","challenge":"abc"}'
    const at = String(Math.floor(Date.now() / 1_000))
    const signature = `v0=${createHmac('sha256', secret).update(`v0:${at}:${text}`).digest('hex')}`
    const answer = await post('chat', text, { 'x-slack-signature': signature, 'x-slack-request-timestamp': at })
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      'text/plain; charset=utf-8',
      'abc',
    ])
    expect(pipeline.store.head()).toBe(0)
  })
})

describe('a request that is not signed', () => {
  // SEC-21
  test('is answered the same whatever is wrong with it', async () => {
    const { post, pipeline } = await opened()
    const texts = new Set<string>()
    for (const headers of [{}, { authorization: 'Bearer wrong-token-here' }, { authorization: secret }]) {
      const answer = await post('plain', '{}', headers as Record<string, string>)
      expect(answer.status).toBe(401)
      texts.add(await answer.text())
    }
    expect(texts.size).toBe(1)
    expect([...texts][0]).not.toContain(secret)
    expect(pipeline.store.head()).toBe(0)
    expect(pipeline.stats().sources['plain']).toMatchObject({ refused: 3 })
  })

  test('needs no token of this server, and a token is no signature', async () => {
    const { post } = await opened({ tokens: [{ name: 'shop', hash: 'a'.repeat(64), scopes: ['ingest'] }] })
    expect((await post('plain', '{}', { authorization: `Bearer ${secret}` })).status).toBe(201)
    expect((await post('plain', '{}', { authorization: 'Bearer mra_for-tests-0123456789abcdef' })).status).toBe(401)
  })
})

describe('a request', () => {
  const authorization = { authorization: `Bearer ${secret}` }

  // SEC-28, SEC-32, SEC-33, SEC-34
  test.each([
    ['{', {}, 400],
    ['"\\ud800"', {}, 400],
    ['{}', { 'content-type': 'text/plain' }, 415],
    ['{}', { 'content-encoding': 'gzip' }, 415],
    [`"${'x'.repeat(70_000)}"`, {}, 413],
    ['['.repeat(200) + ']'.repeat(200), {}, 400],
  ])('of %j with %o is %i', async (text, headers, status) => {
    const { post, pipeline } = await opened()
    expect((await post('plain', text, { ...authorization, ...(headers as Record<string, string>) })).status).toBe(
      status,
    )
    expect(pipeline.store.head()).toBe(0)
  })

  test('to a source that takes none, or to none at all, is 404', async () => {
    const { post } = await opened()
    expect((await post('nobody', '{}')).status).toBe(404)
    expect((await post('', '{}')).status).toBe(404)
  })

  test('to a source by another method is 405', async () => {
    const { call } = await opened()
    expect((await call('/in/plain')).status).toBe(405)
  })

  // SEC-47
  test('with an unknown Host is 421, unless the configuration has the name', async () => {
    const { port } = await opened({ hosts: ['hooks.example.com'] })
    const send = (host: string) =>
      sendRaw(
        port,
        `POST /in/plain HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${secret}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      )
    expect(await send('evil.test')).toMatch(/^HTTP\/1\.1 421 /)
    expect(await send('hooks.example.com')).toMatch(/^HTTP\/1\.1 201 /)
  })

  test('through the fetch handler is the same', async () => {
    const { pipeline } = await opened()
    const request = new Request('http://app.test/in/plain', {
      method: 'POST',
      body: '{}',
      headers: { ...authorization, 'content-type': 'application/json' },
    })
    expect((await pipeline.handler(request)).status).toBe(201)
  })

  test('without an id of its own is known again by its bytes', async () => {
    const { post, pipeline } = await opened()
    expect((await post('plain', '{"a":1}', authorization)).status).toBe(201)
    expect((await post('plain', '{"a":1}', authorization)).status).toBe(200)
    expect((await post('plain', '{"a":2}', authorization)).status).toBe(201)
    expect(pipeline.store.head()).toBe(2)
  })

  // G3
  test('that the store fails on is 503 and may be sent again', async () => {
    const log = recordingLog()
    const failing = (pipeline: Parameters<typeof withMembers>[0]) =>
      withMembers(pipeline, { receive: () => Promise.reject(new Error('SQLITE_IOERR /secret/path')) })
    const { post } = await opened({ log }, failing)
    const answer = await post('plain', '{}', authorization)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.text()).not.toContain('/secret/path')
    expect(log.lines).toHaveLength(1)
  })
})

test('the name of such a source is nobody else’s', async () => {
  const { publish } = await opened()
  const answer = await publish(order('1', { source: 'billing' }))
  expect([answer.status, await answer.json()]).toEqual([403, expect.objectContaining({ code: 'source-forbidden' })])
})
