import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createCatalogue, openPipeline } from '../index.ts'
import { openReceiver, order } from '../runtime/run-time/desk.test-support.ts'
import { pull } from '../sinks/pull.ts'
import { webhook } from '../sinks/webhook.ts'
import { memory } from '../stores/memory.ts'
import { adminToken, limits } from './server.test-support.ts'
import { openServer } from './server.ts'

type Body = Record<string, unknown>
const reader = 'reader-token-0123456789'
const hash = createHash('sha256').update(reader).digest('hex')

async function opened() {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-desk-'))
  const pipeline = await openPipeline(
    {
      store: memory(),
      egress: { allow: ['127.0.0.0/8'] },
      subscriptions: { own: { match: ['none'], sink: { type: 'pull' } } },
    },
    { directory, catalogue: createCatalogue([webhook, pull]), env: {} },
  )
  const server = await openServer(pipeline, {
    host: '127.0.0.1',
    port: 0,
    limits,
    adminToken,
    tokens: [{ name: 'reader', hash, scopes: ['read'] }],
  })
  onTestFinished(async () => {
    await server.close(500)
    await pipeline.stop({ deadline: '1s' })
    rmSync(directory, { recursive: true, force: true })
  })
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    token = adminToken,
  ) => {
    const answer = await fetch(`${server.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      etag: answer.headers.get('etag'),
      text,
      body: (text === '' ? {} : JSON.parse(text)) as Body,
    }
  }
  return { pipeline, call, url: server.url }
}

const path = '/v1/subscriptions/acme'

describe('PUT /v1/subscriptions/{name}', () => {
  test('makes one (201) with an ETag and a secret that is shown this once, and changes it (200)', async () => {
    const { url } = await openReceiver()
    const { call } = await opened()
    const made = await call('PUT', path, {
      where: 'meta.tenant == "acme"',
      sink: { type: 'webhook', url: `${url}/path` },
    })
    expect([made.status, made.body]).toMatchObject([
      201,
      { secret: expect.stringMatching(/^whsec_/) as string, subscription: { name: 'acme', origin: 'api', version: 1 } },
    ])
    expect(made.etag).toMatch(/^".+"$/)
    const read = await call('GET', path)
    expect([read.status, read.etag]).toEqual([200, made.etag])
    expect(read.text).not.toContain(String(made.body['secret']).slice(10))
    // Who may only read sees where it goes, and not the whole address.
    const seen = await call('GET', path, undefined, {}, reader)
    expect(seen.body).toMatchObject({ options: { url: `${url}/…` }, etag: made.etag!.slice(1, -1) })
    expect([seen.text.includes('/path'), seen.body['config'], seen.etag]).toEqual([false, undefined, made.etag])
    const changed = await call(
      'PUT',
      path,
      { ...(read.body['config'] as object), match: ['order.*'] },
      { 'if-match': made.etag! },
    )
    expect([changed.status, changed.body['secret']]).toEqual([200, undefined])
    expect(changed.body['subscription']).toMatchObject({ version: 2, match: ['order.*'] })
    expect(changed.etag).not.toBe(made.etag)
  })

  test('of another version is 412, of one of the configuration 409, and what is not valid 422 with pointers', async () => {
    const { call } = await opened()
    const config = { sink: { type: 'pull' } }
    expect((await call('PUT', path, config, { 'if-match': '"x"' })).status).toBe(412)
    const { etag } = await call('PUT', path, config, { 'if-none-match': '*' })
    expect((await call('PUT', path, config, { 'if-none-match': '*' })).body).toMatchObject({
      status: 412,
      code: 'precondition-failed',
    })
    expect((await call('PUT', path, config, { 'if-match': etag! })).status).toBe(200)
    expect((await call('DELETE', path, undefined, { 'if-match': etag! })).status).toBe(412)
    expect((await call('PUT', '/v1/subscriptions/own', config)).status).toBe(409)
    const wrong = await call('PUT', path, { sink: { type: 'webhook', url: 'http://10.0.0.1/' }, mach: [] })
    expect([wrong.status, wrong.body]).toMatchObject([
      422,
      { code: 'subscription-invalid', errors: [{ pointer: '/mach' }] },
    ])
    expect((await call('PUT', path, { sink: { type: 'command', command: ['id'] } })).body).toMatchObject({
      errors: [{ pointer: '/sink/type' }],
    })
    expect((await call('PUT', '/v1/subscriptions/a%20b', config)).status).toBe(422)
    expect((await call('PUT', path, [])).status).toBe(400)
  })

  test.each([
    ['a sink that does not exist', { sink: { type: 'webhok', url: 'https://example.com' } }, '/sink/type', 'webhook'],
    ['a setting that does not exist', { mach: ['*'], sink: { type: 'pull' } }, '/mach', 'match'],
    ['an option that does not exist', { sink: { type: 'pull', leese: '1s' } }, '/sink/leese', 'lease'],
    ['a value that cannot stand there', { ordering: 'keey', sink: { type: 'pull' } }, '/ordering', 'key'],
  ])(
    '%s is answered with its place, the nearest spelling and what is available',
    async (_, config, pointer, suggestion) => {
      const { call } = await opened()
      const refused = await call('PUT', '/v1/subscriptions/acme', config)
      expect(refused.status).toBe(422)
      expect(refused.body).toMatchObject({
        detail: expect.stringContaining(`did you mean ${suggestion}?`),
        errors: [{ pointer, suggestion, available: expect.arrayContaining([suggestion]) }],
      })
    },
  )

  test('and what else changes something needs the scope admin', async () => {
    const { call } = await opened()
    await call('PUT', path, { sink: { type: 'pull' } })
    for (const [method, rest, body] of [
      ['PUT', '', { sink: { type: 'pull' } }],
      ['DELETE', ''],
      ['POST', '/test'],
      ['POST', '/secret/rotate', {}],
    ] as const) {
      expect((await call(method, path + rest, body, {}, reader)).status, method + rest).toBe(403)
      expect((await call(method, path + rest, body, { authorization: '' })).status, method + rest).toBe(401)
    }
    expect((await call('POST', '/v1/secrets/rotate-key', undefined, {}, reader)).status).toBe(403)
  })
})

test('DELETE ends it: 204, then it is not known, and its name is free', async () => {
  const { call } = await opened()
  await call('PUT', path, { sink: { type: 'pull' } })
  expect((await call('DELETE', path)).status).toBe(204)
  expect((await call('GET', path)).status).toBe(404)
  expect((await call('DELETE', path)).status).toBe(404)
  expect((await call('DELETE', '/v1/subscriptions/own')).status).toBe(409)
  expect((await call('PUT', path, { sink: { type: 'pull' } })).status).toBe(201)
})

test('a test and a change of secret answer what came of them', async () => {
  const { url, got } = await openReceiver(() => ({ status: 400, text: 'unknown tenant' }))
  const { call } = await opened()
  await call('PUT', path, { sink: { type: 'webhook', url } })
  const tested = await call('POST', `${path}/test`)
  expect([tested.status, tested.body]).toMatchObject([
    200,
    {
      outcome: 'reject',
      reason: 'status 400',
      at: expect.stringMatching(/Z$/) as string,
      detail: { status: 400, excerpt: 'unknown tenant' },
    },
  ])
  expect(tested.body['messageId']).toBe(got[0]!.headers['webhook-id'])
  const rotated = await call('POST', `${path}/secret/rotate`)
  expect(rotated.body).toMatchObject({
    secret: expect.stringMatching(/^whsec_/) as string,
    oldUntil: expect.stringMatching(/Z$/) as string,
  })
  expect((await call('POST', `${path}/secret/rotate`, { overlap: 5 })).status).toBe(400)
  expect((await call('POST', '/v1/secrets/rotate-key')).body).toEqual({ changed: 1, unreadable: 0 })
  expect((await call('POST', '/v1/subscriptions/nobody/test')).status).toBe(404)
})

// SEC-82
test('metrics count those that were made over HTTP together, under one name', async () => {
  const { call, url, pipeline } = await opened()
  const receiver = await openReceiver(() => ({ status: 204 }))
  const sink = { type: 'webhook', url: receiver.url }
  for (const name of ['a', 'b']) await call('PUT', `/v1/subscriptions/${name}`, { sink })
  await call('PUT', '/v1/subscriptions/c', { sink: { type: 'pull' } })
  await pipeline.publish(order(1))
  await pipeline.idle()
  const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${adminToken}` } })).text()
  expect(text).toContain('millrace_subscription_matched_total{subscription="(api)"} 3')
  expect(text).toContain('millrace_subscription_state{subscription="(api)",state="running"} 3')
  expect(text).toContain('millrace_subscription_matched_total{subscription="own"} 0')
  expect(text).toContain('millrace_stage_items_total{subscription="(api)",stage="sink",outcome="passed"} 2\n')
  expect(text.match(/millrace_stage_seconds_total\{subscription="\(api\)"/g)).toHaveLength(1)
  expect(text).not.toMatch(/subscription="[abc]"/)
})

test('OpenAPI describes them', async () => {
  const { url } = await opened()
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, Body> }
  expect(Object.keys(paths['/v1/subscriptions/{name}']!)).toEqual(['get', 'put', 'delete'])
  expect(paths['/v1/subscriptions/{name}/secret/rotate']).toHaveProperty('post')
})
