import { expect, test } from 'vitest'
import { memory } from '../stores/memory.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { adminToken, openTestServer, order, type TestServer } from './server.test-support.ts'

const admin = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }

async function opened() {
  const sink = recordingSink({ outcomes: ({ event }) => (event.id === 'bad' ? { outcome: 'reject' } : undefined) })
  const served = await openTestServer({ store: memory(), subscriptions: { crm: { match: ['order.*'], sink } } })
  await served.publish([order('1'), order('2', { type: 'user.made' }), order('3', { subject: 'x' }), order('bad')])
  await served.pipeline.idle()
  return { ...served, sink }
}

type Body = Record<string, unknown> & { readonly id: string; readonly counts: Record<string, number> }

async function post(server: TestServer, path: string, body?: unknown, headers: Record<string, string> = admin) {
  const init = { method: 'POST', headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
  const answer = await server.call(`/v1/subscriptions/crm/${path}`, init)
  return { status: answer.status, body: (await answer.json()) as Body, location: answer.headers.get('location') }
}

async function get(server: TestServer, path: string) {
  const answer = await server.call(path)
  return { status: answer.status, body: (await answer.json()) as Body }
}

async function ended(server: TestServer, id: string): Promise<Body> {
  while (true) {
    const { body } = await get(server, `/v1/subscriptions/crm/replays/${id}`)
    if (body['state'] !== 'running') return body
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

test('a dry run counts and shows, and the run delivers exactly that', async () => {
  const server = await opened()
  const dry = await post(server, 'replay', { from: 1, to: 3, dryRun: true })
  expect(dry).toMatchObject({
    status: 200,
    body: {
      dryRun: true,
      subscription: 'crm',
      from: 1,
      to: 3,
      count: 2,
      sample: [{ id: '1', sequence: '1' }, { id: '3' }],
    },
  })
  expect(server.sink.received).toHaveLength(3)
  const { status, body, location } = await post(server, 'replay', { from: 1, to: 3, rate: '1000/s' })
  expect([status, location]).toEqual([201, `/v1/subscriptions/crm/replays/${body.id}`])
  expect(await ended(server, body.id)).toMatchObject({ state: 'done', total: 3, counts: { matched: 2, delivered: 2 } })
  expect(server.sink.received.slice(3).map(({ messageId }) => messageId.endsWith(`_${body.id}`))).toEqual([true, true])
})

test('filters are lists or single texts', async () => {
  const server = await opened()
  const count = async (body: object) => (await post(server, 'replay', { from: 1, dryRun: true, ...body })).body['count']
  expect(await count({ match: 'order.*', subject: 'x' })).toBe(1)
  expect(await count({ source: ['shop', 'till'] })).toBe(3)
})

test('a replay is listed, paused, resumed and cancelled', async () => {
  const server = await opened()
  const first = (await post(server, 'replay', { from: 1, rate: '1/h' })).body
  expect((await post(server, `replays/${first.id}/pause`)).body).toMatchObject({ state: 'paused' })
  expect((await post(server, `replays/${first.id}/resume`)).body).toMatchObject({ state: 'running' })
  const second = (await post(server, 'replay', { from: 1, rate: '1000/s', to: 1 })).body
  await ended(server, second.id)
  const page = await get(server, '/v1/subscriptions/crm/replays?limit=1')
  expect(page.body).toMatchObject({ replays: [{ id: second.id }], next: second.id })
  expect((await get(server, `/v1/replays?after=${second.id}`)).body).toMatchObject({ replays: [{ id: first.id }] })
  expect((await get(server, '/v1/replays')).body['replays']).toHaveLength(2)
  const metrics = await (await server.call('/metrics')).text()
  expect(metrics).toContain('millrace_replays{subscription="crm",state="running"} 1')
  // SEC-82
  expect(metrics).not.toContain(first.id)
  expect((await post(server, `replays/${first.id}/cancel`)).body).toMatchObject({ state: 'cancelled' })
  expect((await post(server, `replays/${first.id}/cancel`)).status).toBe(409)
})

test('dead letters of a replay are found, discarded and redriven by its id', async () => {
  const server = await opened()
  const { id } = (await post(server, 'replay', { from: 1, rate: '1000/s' })).body
  expect((await ended(server, id)).counts).toMatchObject({ dead: 1 })
  const path = '/v1/subscriptions/crm/dead'
  expect((await get(server, `${path}?replay=${id}`)).body).toMatchObject({ dead: [{ sequence: 4 }] })
  expect((await post(server, `dead/redrive?replay=${id}`, { all: true })).body).toEqual({ redriven: 1 })
  // The one of live traffic is another.
  expect((await get(server, path)).body).toMatchObject({ dead: [{ sequence: 4 }] })
  const deliveries = (await get(server, '/v1/events/4/deliveries?limit=1')).body
  expect(deliveries).toMatchObject({ deliveries: [{ subscription: 'crm', state: 'dead' }], next: 'crm' })
  const rest = (await get(server, '/v1/events/4/deliveries?after=crm')).body
  expect(rest).toMatchObject({ deliveries: [{ subscription: 'crm', replay: id }] })
  expect((await get(server, `${path}?replay=none`)).status).toBe(404)
})

test('what is wrong is said before anything is done, and only an admin may begin or end one', async () => {
  const server = await opened()
  for (const body of [
    {},
    { from: 0 },
    { from: 'x' },
    { from: 1, rate: '5' },
    { from: 1, match: 'a.*.b' },
    { from: 1, limit: 3 },
  ])
    expect((await post(server, 'replay', body)).status).toBe(400)
  const stranger = { 'content-type': 'application/json' }
  for (const path of ['replay', 'replays/r1/pause', 'replays/r1/resume', 'replays/r1/cancel'])
    expect((await post(server, path, { from: 1 }, stranger)).status).toBe(401)
  expect((await get(server, '/v1/subscriptions/crm/replays/r1')).status).toBe(404)
  expect((await get(server, '/v1/subscriptions/none/replays')).status).toBe(404)
  expect((await get(server, '/v1/replays')).body).toEqual({ replays: [] })
})
