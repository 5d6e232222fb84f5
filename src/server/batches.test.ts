import { describe, expect, test } from 'vitest'
import { pull } from '../sinks/pull.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { createHandler } from './handler.ts'
import { limits, openTestServer, order } from './server.test-support.ts'

type Body = Record<string, unknown>
interface Fetched {
  readonly batch: string
  readonly receipt: string
  readonly events: readonly { readonly id: string; readonly sequence: string }[]
  readonly sequences: readonly number[]
  readonly deliveryCounts: readonly number[]
  readonly remaining: number
  readonly deadline: string
}

async function opened(options: Parameters<typeof pull>[0] = {}, more: Body = {}) {
  const server = await openTestServer({
    subscriptions: {
      work: { match: ['order.*'], sink: pull(options), start: 'beginning', ...more },
      other: { sink: recordingSink() },
    },
  } as never)
  const post = (path: string, body?: unknown) =>
    server.call(`/v1/subscriptions/work/batches${path}`, {
      method: 'POST',
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
  const fetchOne = async (body?: unknown): Promise<Fetched> => {
    const answer = await post('', body)
    expect(answer.status).toBe(201)
    return (await answer.json()) as Fetched
  }
  const tell = async (answer: Response) => [answer.status, (await answer.json()) as Body] as const
  return { ...server, post, fetchOne, tell }
}

describe('batches over HTTP', () => {
  test('are fetched, and confirmed as a whole or in part', async () => {
    // S0-28 S0-88 S0-89 K11
    const { publish, post, fetchOne, tell } = await opened()
    await publish(['1', '2', '3'].map((id) => order(id)))
    const batch = await fetchOne({ limit: 2, lease: '1m' })
    expect(batch).toMatchObject({ sequences: [1, 2], deliveryCounts: [1, 1], remaining: 1 })
    expect(batch.events).toMatchObject([
      { specversion: '1.0', id: '1', sequence: '1', data: { total: 1 } },
      { id: '2', sequence: '2' },
    ])
    expect(Date.parse(batch.deadline)).toBeGreaterThan(Date.now() + 50_000)
    const { receipt } = batch
    expect(await tell(await post(`/${batch.batch}/confirm`, { receipt, sequences: [1] }))).toEqual([
      200,
      { confirmed: 1 },
    ])
    expect(await tell(await post(`/${batch.batch}/confirm`, { receipt }))).toEqual([200, { confirmed: 1 }])
    expect(await tell(await post(`/${batch.batch}/confirm`, { receipt }))).toEqual([200, { confirmed: 0 }])
  })

  test('without a body the sink says how much and how long; nothing there is 204', async () => {
    const { publish, post, fetchOne } = await opened({ limit: 1, lease: '10s' })
    const empty = await post('')
    expect([empty.status, await empty.text()]).toEqual([204, ''])
    await publish([order('1'), order('2')])
    expect((await fetchOne()).events).toHaveLength(1)
    expect((await fetchOne({})).events).toHaveLength(1)
  })

  test('a fetch that waits is answered as soon as an event is there', async () => {
    const { publish, fetchOne } = await opened()
    const waiting = fetchOne({ wait: '20s' })
    await publish(order('1'))
    expect((await waiting).events).toMatchObject([{ id: '1' }])
  })

  // S0-93
  test('a GET leases nothing', async () => {
    const { call, publish, fetchOne } = await opened()
    await publish(order('1'))
    expect((await call('/v1/subscriptions/work/batches')).status).toBe(405)
    expect(await fetchOne()).toMatchObject({ deliveryCounts: [1] })
  })

  test('a client that went away while it waited holds nothing', async () => {
    const { publish, call, fetchOne, pipeline } = await opened()
    const gone = new AbortController()
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"wait":"20s"}' }
    const left = call('/v1/subscriptions/work/batches', { ...init, signal: gone.signal }).catch(() => 'gone')
    const stays = fetchOne({ wait: '20s', limit: 1 })
    await new Promise((resolve) => setTimeout(resolve, 50))
    gone.abort()
    expect(await left).toBe('gone')
    await new Promise((resolve) => setTimeout(resolve, 50))
    await publish([order('1'), order('2')])
    expect((await stays).events).toMatchObject([{ id: '1' }])
    expect((await fetchOne()).events).toMatchObject([{ id: '2' }])
    expect((await pipeline.subscription('work')).open).toBe(2)
  })

  test('are given back, prolonged, and without a lease overlap', async () => {
    // S0-90 G23
    const { publish, post, fetchOne, tell } = await opened()
    await publish([order('1'), order('2')])
    const first = await fetchOne()
    const receipt = { receipt: first.receipt }
    const [status, extended] = await tell(await post(`/${first.batch}/extend`, { ...receipt, lease: '2m' }))
    expect([status, extended['extended']]).toEqual([200, 2])
    expect(Date.parse(String(extended['deadline']))).toBeGreaterThan(Date.now() + 100_000)
    expect(await tell(await post(`/${first.batch}/release`, { ...receipt, delay: '0s' }))).toEqual([
      200,
      { confirmed: 0, released: 2 },
    ])
    const [a, b] = [await fetchOne({ lease: '0s' }), await fetchOne({ lease: '0s' })]
    expect([a.deliveryCounts, b.deliveryCounts]).toEqual([
      [2, 2],
      [3, 3],
    ])
    expect(await tell(await post(`/${a.batch}/confirm`, { receipt: a.receipt }))).toEqual([200, { confirmed: 2 }])
    expect((await post('')).status).toBe(204)
  })

  test('an unknown batch is 404, a receipt that does nothing 409 with the reason', async () => {
    // G23
    const { publish, post, fetchOne, tell } = await opened()
    await publish([order('1'), order('2')])
    const [one, two] = [await fetchOne({ limit: 1, lease: '1ms' }), await fetchOne({ limit: 1 })]
    await expect.poll(async () => (await post('', { limit: 1 })).status).toBe(201)
    const [gone, unknown] = await tell(await post('/9-9/confirm', { receipt: one.receipt }))
    expect([gone, unknown['code']]).toEqual([404, 'batch-unknown'])
    const [stale, facts] = await tell(await post(`/${one.batch}/confirm`, { receipt: one.receipt }))
    expect([stale, facts['code'], facts['because']]).toEqual([409, 'receipt-stale', 'again'])
    const [wrong, other] = await tell(await post(`/${two.batch}/confirm`, { receipt: one.receipt }))
    expect([wrong, other['because']]).toEqual([409, 'receipt'])
    expect(JSON.stringify(other)).not.toContain(two.receipt)
  })

  test.each([
    ['', { limit: 0 }],
    ['', { limit: 10_001 }],
    ['', { wait: 5 }],
    ['', { lease: '25h' }],
    ['', { colour: 'red' }],
    ['/1-1/confirm', {}],
    ['/1-1/confirm', { receipt: 'x', sequences: ['1'] }],
    ['/1-1/extend', { receipt: 'x', sequences: [1] }],
  ])('%s with %j is 400', async (path, body) => {
    // S0-88
    const { post, tell } = await opened()
    const [status, problem] = await tell(await post(path, body))
    expect([status, problem['code']]).toEqual([400, 'bad-request'])
  })

  test('only a subscription with this sink is fetched from', async () => {
    const { call } = await opened()
    const ask = (name: string) => call(`/v1/subscriptions/${name}/batches`, { method: 'POST' })
    expect([(await ask('other')).status, (await ask('nobody')).status]).toEqual([409, 404])
  })

  test('the payload of the subscription is what clients get', async () => {
    const { publish, fetchOne } = await opened({}, { payload: { what: '#root.type', n: '#root.data.total' } })
    await publish(order('1'))
    expect(await fetchOne()).toMatchObject({ events: [{ what: 'order.placed', n: 1 }], sequences: [1] })
  })

  test('the fetch handler serves them too', async () => {
    const { pipeline, publish } = await opened()
    await publish(order('1'))
    const handler = createHandler(pipeline, { limits })
    const url = 'http://x/v1/subscriptions/work/batches'
    const batch = (await (await handler(new Request(url, { method: 'POST' }))).json()) as Fetched
    const confirm = new Request(`${url}/${batch.batch}/confirm`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ receipt: batch.receipt }),
    })
    expect(await (await handler(confirm)).json()).toEqual({ confirmed: 1 })
    expect((await handler(new Request(url, { method: 'POST' }))).status).toBe(204)
  })

  test('explain and audit know what is leased', async () => {
    const { publish, fetchOne, call } = await opened()
    await publish(order('1'))
    const batch = await fetchOne()
    const explained = (await (await call('/v1/explain/1?subscription=work')).json()) as { deliveries: Body[] }
    expect(explained.deliveries).toMatchObject([{ state: 'leased', dueAt: batch.deadline, attemptCount: 1 }])
    expect(explained.deliveries[0]!['reason']).toContain(batch.batch)
    expect(await (await call('/v1/audit')).json()).toMatchObject({ ok: true })
  })
})
