import { describe, expect, test } from 'vitest'
import { defineSink } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import { serverPlan, serverSchema } from '../plugin/server-schema.ts'
import { pull } from '../sinks/pull.ts'
import { sse } from '../sinks/sse.ts'
import { tokenHash } from './auth.ts'
import { as, openTestServer } from './server.test-support.ts'

const token = (name: string, payload?: 'full' | 'masked' | 'hidden') => ({
  name,
  hash: tokenHash(`${name}-token`),
  scopes: ['ingest', 'read', 'admin'] as const,
  ...(payload !== undefined && { payload }),
})
const tokens = [token('plain'), token('all', 'full'), token('none', 'hidden')]
const { mask } = serverPlan(serverSchema.parse({ mask: ['data.card.number', 'data.items[*].pin', 'meta.ip'] }))

const order = {
  source: 'shop',
  id: '1',
  type: 'order.placed',
  data: { card: { number: 'canary-4111', name: 'Zoe' }, items: [{ pin: 'canary-1' }, { n: 2 }] },
  meta: { ip: 'canary-ip', tenant: 'acme' },
}

const failing = defineSink({
  name: 'failing',
  summary: 'Rejects everything.',
  delivers: 'Nothing.',
  options: schema.strictObject({}),
  example: {},
  create: () => ({
    deliver: () => [{ outcome: 'reject', reason: 'status 400', detail: { status: 400, excerpt: 'canary-said' } }],
  }),
})

async function opened() {
  const subscriptions = {
    // Nobody but an expression can be named by data.
    crm: { where: 'data.card.number == "other"', sink: pull() },
    work: { sink: pull() },
    sent: { sink: failing({}) },
    live: { sink: sse() },
  }
  const server = await openTestServer({ subscriptions }, { tokens, mask })
  await server.publish(order, undefined, as('plain-token'))
  await server.pipeline.idle()
  const read = async (path: string, name: string, init: RequestInit = {}) => {
    const headers = { ...as(`${name}-token`), 'content-type': 'application/json' }
    const answer = await server.call(path, { ...init, headers })
    return { status: answer.status, text: await answer.text() }
  }
  return { server, read }
}

const looks = [
  '/v1/events',
  '/v1/events/1',
  '/v1/events/1/deliveries',
  '/v1/explain/1',
  '/v1/streams/order-1',
  '/v1/subscriptions/sent/dead',
]

describe('where events are looked at', () => {
  test('declared places are masked, and all else is as it was', async () => {
    // SEC-53
    const { read } = await opened()
    const { text } = await read('/v1/events/1', 'plain')
    expect(JSON.parse(text)).toMatchObject({
      data: { card: { number: '***', name: 'Zoe' }, items: [{ pin: '***' }, { n: 2 }] },
      ip: '***',
      tenant: 'acme',
    })
    for (const path of looks) expect((await read(path, 'plain')).text, path).not.toContain('canary-')
    const dryRun = { method: 'POST', body: JSON.stringify({ from: 1, dryRun: true }) }
    const sample = await read('/v1/subscriptions/sent/replay', 'plain', dryRun)
    expect([sample.status, sample.text.includes('canary-')]).toEqual([200, false])
    expect((await read('/v1/events/1', 'all')).text).toContain('canary-4111')
  })

  test('a token whose payload is hidden sees neither data nor meta, and opens nothing that is only that', async () => {
    // SEC-53
    const { read } = await opened()
    const { text } = await read('/v1/events/1', 'none')
    expect(JSON.parse(text)).toMatchObject({ id: '1', type: 'order.placed' })
    for (const path of looks) expect((await read(path, 'none')).text, path).not.toMatch(/canary-|Zoe|acme/)
    const fetched = await read('/v1/subscriptions/work/batches', 'none', { method: 'POST', body: '{}' })
    expect(fetched.status).toBe(403)
    expect((await read('/v1/subscriptions/live/stream', 'none')).status).toBe(403)
  })

  test('what a quarantined event holds is masked, too', async () => {
    const server = await openTestServer(
      { schemas: { 'order.placed': { version: 1, schema: { required: ['total'] }, mode: 'quarantine' } } },
      { tokens, mask },
    )
    expect((await server.publish(order, undefined, as('plain-token'))).status).toBe(202)
    const look = async (name: string) => (await server.call('/v1/events', { headers: as(`${name}-token`) })).text()
    expect(await look('all')).toContain('canary-ip')
    expect(await look('plain')).toContain('millrace.quarantined')
    expect(await look('plain')).not.toContain('canary-')
  })

  test('what a receiver said of a dead letter is not shown to those from whom content is kept', async () => {
    const server = await openTestServer({ subscriptions: { bad: { sink: failing({}) } } }, { tokens, mask })
    await server.publish(order, undefined, as('plain-token'))
    await server.pipeline.idle()
    const look = async (path: string, name: string) =>
      (await server.call(path, { headers: as(`${name}-token`) })).text()
    for (const path of ['/v1/subscriptions/bad/dead', '/v1/explain/1']) {
      expect(await look(path, 'all')).toContain('canary-said')
      expect(await look(path, 'plain')).not.toContain('canary-')
      expect(await look(path, 'plain')).toContain('"detail":{"status":400}')
    }
  })

  test('batches are whole for who is shown all', async () => {
    const { read } = await opened()
    const fetched = await read('/v1/subscriptions/work/batches', 'all', { method: 'POST', body: '{}' })
    expect(fetched.text).toContain('canary-4111')
  })

  test('the data of an event that has nothing to hide stays as its producer wrote it', async () => {
    const { server, read } = await opened()
    await server.publish(
      '{"source":"shop","id":"2","type":"a.b","data":{"n":12345678901234567890,"z":-0}}',
      undefined,
      as('plain-token'),
    )
    expect((await read('/v1/events?type=a.b', 'plain')).text).toContain('"data":{"n":12345678901234567890,"z":-0}')
  })
})
