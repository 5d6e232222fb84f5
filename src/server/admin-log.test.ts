import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createCatalogue, openPipeline } from '../index.ts'
import { pull } from '../sinks/pull.ts'
import { webhook } from '../sinks/webhook.ts'
import { memory } from '../stores/memory.ts'
import { tokenHash } from './auth.ts'
import { createHandler } from './handler.ts'
import { adminToken, as, limits, shop, withMembers } from './server.test-support.ts'
import { openServer } from './server.ts'

const boss = { name: 'boss', hash: tokenHash('boss-token'), scopes: ['read', 'admin'] } as const

interface Opened {
  call(path: string, init?: RequestInit): Promise<Response>
}

async function opened(): Promise<Opened> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-admin-'))
  const pipeline = await openPipeline(
    { store: memory(), subscriptions: { crm: { sink: pull() } } },
    { directory, catalogue: createCatalogue([webhook, pull]), env: {} },
  )
  const server = await openServer(pipeline, { host: '127.0.0.1', port: 0, limits, adminToken, tokens: [boss, shop] })
  onTestFinished(async () => {
    await server.close(500)
    await pipeline.stop({ deadline: '1s' })
    rmSync(directory, { recursive: true, force: true })
  })
  return { call: (path, init) => fetch(`${server.url}${path}`, init) }
}

const send = async ({ call }: Opened, method: string, path: string, body?: unknown) => {
  const json = body === undefined ? {} : { body: JSON.stringify(body) }
  const headers = { ...as('boss-token'), 'content-type': 'application/json' }
  const answer = await call(path, { method, headers, ...json })
  return { status: answer.status, text: await answer.text() }
}
// biome-ignore lint/suspicious/noExplicitAny: what is read is what is tested.
const entries = async ({ call }: Opened, query = ''): Promise<any> =>
  (await call(`/v1/admin-log${query}`, { headers: as(adminToken) })).json()

describe('the admin log', () => {
  test('says who did what, and how it was before and after', async () => {
    // SEC-56
    const server = await opened()
    await send(server, 'POST', '/v1/subscriptions/crm/pause')
    await server.call('/v1/subscriptions/crm/resume', { method: 'POST', headers: as(adminToken) })
    await send(server, 'POST', '/v1/subscriptions/crm/dead/redrive', { all: true })
    const { entries: found } = await entries(server)
    expect(found).toMatchObject([
      { number: 3, actor: 'boss', action: 'dead.redriven', subscription: 'crm', facts: { all: true, redriven: 0 } },
      {
        number: 2,
        actor: 'admin',
        action: 'subscription.resumed',
        before: { state: 'paused' },
        after: { state: 'running' },
      },
      {
        number: 1,
        actor: 'boss',
        action: 'subscription.paused',
        before: { state: 'running' },
        after: { state: 'paused' },
      },
    ])
    expect(Date.parse(found[0].at)).toBeGreaterThanOrEqual(Date.parse(found[2].at))
    expect(await entries(server, '?limit=2')).toMatchObject({ entries: [{ number: 3 }, { number: 2 }], next: 2 })
    expect(await entries(server, '?limit=2&after=2')).toEqual({ entries: [found[2]] })
  })

  test('keeps what changed of an endpoint, and no secret, header value or path of it', async () => {
    // SEC-56
    const server = await opened()
    const secret = 'whsec_aGVyZSBnb2VzIHlvdXIgb3duIHNlY3JldCE='
    const sink = (path: string) => ({
      type: 'webhook',
      url: `https://hooks.example/${path}`,
      secret,
      headers: { Authorization: 'Bearer header-credential' },
    })
    expect(
      (await send(server, 'PUT', '/v1/subscriptions/acme', { match: ['a.*'], sink: sink('path-one') })).status,
    ).toBe(201)
    await send(server, 'PUT', '/v1/subscriptions/acme', { match: ['b.*'], sink: sink('path-two') })
    const rotated = await send(server, 'POST', '/v1/subscriptions/acme/secret/rotate', {})
    await send(server, 'DELETE', '/v1/subscriptions/acme')
    const { entries: found } = await entries(server)
    expect(found).toMatchObject([
      { action: 'subscription.dropped', before: { config: { match: ['b.*'] } } },
      { action: 'secret.rotated', facts: { oldUntil: expect.any(String) } },
      {
        action: 'subscription.changed',
        before: { config: { match: ['a.*'], sink: { type: 'webhook', headers: { Authorization: '…' } } } },
        after: { config: { match: ['b.*'] } },
      },
      { action: 'subscription.made', after: { state: 'running', config: { match: ['a.*'] } } },
    ])
    expect([found[0].after, found[3].before]).toEqual([undefined, undefined])
    const text = JSON.stringify(found)
    for (const hidden of [secret, JSON.parse(rotated.text).secret, 'header-credential', 'path-one', 'path-two'])
      expect(text).not.toContain(hidden)
  })

  test('knows what was begun before anything is done', async () => {
    // SEC-56
    const gate = Promise.withResolvers<void>()
    const pipeline = await openPipeline({ store: memory(), subscriptions: { crm: { sink: pull() } } })
    onTestFinished(() => pipeline.stop({ deadline: '1s' }))
    const pausing = withMembers(pipeline, { pause: () => gate.promise })
    const handler = createHandler(pausing, { limits, adminToken })
    const answer = handler(
      new Request('http://127.0.0.1/v1/subscriptions/crm/pause', { method: 'POST', headers: as(adminToken) }),
    )
    const begun = () => pipeline.store.state.list('millrace:/admin-begun')
    await expect.poll(begun).toHaveLength(1)
    expect(JSON.parse((await begun())[0]!.value)).toMatchObject({ actor: 'admin', action: 'subscription.paused' })
    gate.resolve()
    expect((await answer).status).toBe(200)
    expect(await begun()).toEqual([])
  })

  test('has nothing of what was refused, and cannot be changed', async () => {
    const server = await opened()
    expect((await send(server, 'POST', '/v1/subscriptions/nope/pause')).status).toBe(404)
    await server.call('/v1/subscriptions/crm/pause', { method: 'POST', headers: as('shop-token') })
    expect(await entries(server)).toEqual({ entries: [] })
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect((await send(server, method, '/v1/admin-log')).status).toBe(405)
  })

  test('is read by administrators only', async () => {
    const server = await opened()
    expect((await server.call('/v1/admin-log', { headers: as('shop-token') })).status).toBe(403)
    expect((await server.call('/v1/admin-log')).status).toBe(401)
  })
})
