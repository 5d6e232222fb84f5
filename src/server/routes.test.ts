import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errorCodes } from '../core/errors.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { routes } from './contract.ts'
import { createHandler } from './handler.ts'
import { adminToken, limits, openTestServer, order } from './server.test-support.ts'

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
const admin = { authorization: `Bearer ${adminToken}` }
type Body = Record<string, unknown>

async function opened() {
  const sink = recordingSink({
    outcomes: ({ event, attempt }) =>
      event.id === 'bad' && attempt === 1 ? { outcome: 'reject', reason: 'no' } : undefined,
  })
  const server = await openTestServer({
    subscriptions: {
      crm: { match: ['order.*'], sink, start: 'beginning' },
      audit: { match: ['other'], sink: recordingSink() },
    },
  } as never)
  const get = async (path: string): Promise<Body> => (await (await server.call(path)).json()) as Body
  const post = (path: string, body?: unknown) =>
    server.call(path, {
      method: 'POST',
      headers: { ...admin, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  return { ...server, get, post }
}

describe('events', () => {
  test('are searched page by page until next is absent', async () => {
    const { publish, get } = await opened()
    await publish(['1', '2', '3', '4', '5'].map((id) => order(id)))
    const seen: unknown[] = []
    let path: string | undefined = '/v1/events?limit=2'
    while (path !== undefined) {
      const page = await get(path)
      seen.push(...(page['events'] as Body[]).map(({ id }) => id))
      path = page['next'] === undefined ? undefined : `/v1/events?limit=2&after=${page['next']}`
    }
    expect(seen).toEqual(['1', '2', '3', '4', '5'])
  })

  test('have no next on a page that is full with the last one', async () => {
    const { publish, get } = await opened()
    await publish(['1', '2', '3', '4'].map((id) => order(id)))
    const path = '/v1/events?source=shop&limit=2'
    expect(await get(path)).toMatchObject({ next: 2 })
    expect(await get(`${path}&after=2`)).not.toHaveProperty('next')
    expect(await get(`${path}&before=5`)).toMatchObject({ next: 3 })
    expect(await get(`${path}&before=3`)).not.toHaveProperty('next')
  })

  test('are narrowed by type, source, subject, id and time', async () => {
    const { publish, get } = await opened()
    await publish([order('1'), order('2', { type: 'user.new', subject: 'u' }), order('3', { source: 'erp' })])
    const ids = async (query: string) => ((await get(`/v1/events?${query}`))['events'] as Body[]).map(({ id }) => id)
    expect(await ids('type=user.*')).toEqual(['2'])
    expect(await ids('type=user.*,order.placed')).toEqual(['1', '2', '3'])
    expect(await ids('type=user.new&type=order.*&source=shop')).toEqual(['1', '2'])
    expect(await ids('subject=u')).toEqual(['2'])
    expect(await ids('source=erp')).toEqual(['3'])
    expect(await ids('id=3')).toEqual(['3'])
    expect(await ids('until=2000-01-01T00:00:00Z')).toEqual([])
    expect(await ids('since=2000-01-01T00:00:00Z')).toHaveLength(3)
  })

  test.each([
    ['limit=0', 'limit: a number of at least 1 is needed'],
    ['limit=1001', 'limit: a number of at most 1000 is needed'],
    ['limit=x', 'limit: a number is needed, and this is none'],
    ['after=-1', 'after: a number of at least 0 is needed'],
    ['since=yesterday', 'since: this is not a time: write it as 2026-01-31T12:00:00Z'],
    ['sinse=yesterday', 'sinse: there is no such parameter; did you mean since? (available: after, '],
    ['source=a&source=b', 'source: text is needed, and this is a list'],
    ['type=order.placed,order*', 'type: a star may stand alone (*) or be the last segment (prefix.*), nowhere else'],
    ['after=1&before=2', ''],
  ])('a search with %s is 400 and says what is needed', async (query, problem) => {
    const { call } = await opened()
    const answer = await call(`/v1/events?${query}`)
    expect(answer.status).toBe(400)
    const detail = expect.stringContaining(problem)
    expect(await answer.json()).toMatchObject({ code: 'bad-request', detail })
  })

  test('one is read by its sequence, and one that is not there is 404', async () => {
    const { publish, get, call } = await opened()
    await publish(order('1'))
    expect(await get('/v1/events/1')).toMatchObject({ specversion: '1.0', id: '1', sequence: '1' })
    expect((await call('/v1/events/2')).status).toBe(404)
    expect((await call('/v1/events/0')).status).toBe(400)
    expect((await call('/v1/events/x')).status).toBe(400)
    expect((await call('/v1/events/2/deliveries')).status).toBe(404)
    expect((await call('/v1/explain/2')).status).toBe(404)
  })

  test('say where they are and why', async () => {
    const { publish, get, pipeline } = await opened()
    await publish(order('1'))
    await pipeline.idle()
    const { deliveries } = (await get('/v1/events/1/deliveries')) as { deliveries: Body[] }
    expect(deliveries.map(({ subscription, state }) => [subscription, state])).toEqual([
      ['audit', 'filtered'],
      ['crm', 'delivered'],
    ])
    const first = await get('/v1/events/1/deliveries?limit=1')
    expect(first['next']).toBe('audit')
    const explanation = await get('/v1/explain/1?subscription=crm')
    expect(explanation).toMatchObject({ sequence: 1, event: { id: '1' }, deliveries: [{ subscription: 'crm' }] })
  })
})

describe('subscriptions', () => {
  test('are listed in order of name, page by page', async () => {
    const { get } = await opened()
    const first = (await get('/v1/subscriptions?limit=1')) as { subscriptions: Body[]; next: string }
    expect([first.subscriptions.map(({ name }) => name), first.next]).toEqual([['audit'], 'audit'])
    const second = (await get(`/v1/subscriptions?after=${first.next}`)) as { subscriptions: Body[]; next?: string }
    expect([second.subscriptions.map(({ name }) => name), second.next]).toEqual([['crm'], undefined])
    expect(await get('/v1/subscriptions/crm')).toMatchObject({
      name: 'crm',
      state: 'running',
      floor: 0,
      head: 0,
      lag: 0,
      open: 0,
    })
  })

  test('that are unknown are 404 on every route', async () => {
    const { call, post } = await opened()
    expect((await call('/v1/subscriptions/nobody')).status).toBe(404)
    expect((await call('/v1/subscriptions/nobody/dead')).status).toBe(404)
    expect((await post('/v1/subscriptions/nobody/pause')).status).toBe(404)
    expect((await post('/v1/subscriptions/nobody/dead/redrive', { all: true })).status).toBe(404)
  })

  test('are paused and resumed', async () => {
    const { post } = await opened()
    expect(await (await post('/v1/subscriptions/crm/pause')).json()).toMatchObject({ name: 'crm', state: 'paused' })
    expect(await (await post('/v1/subscriptions/crm/resume')).json()).toMatchObject({ state: 'running' })
  })
})

describe('dead letters', () => {
  test('are listed with their event and attempts, and redriven', async () => {
    const { publish, get, post, pipeline } = await opened()
    await publish([order('1'), order('bad')])
    await pipeline.idle()
    const list = (await get('/v1/subscriptions/crm/dead')) as { dead: Body[]; next?: number }
    expect(list).toEqual({
      dead: [
        {
          sequence: 2,
          event: expect.objectContaining({ id: 'bad', sequence: '2', data: { total: 1 } }),
          reason: expect.any(String),
          error: 'no',
          attempts: [expect.objectContaining({ outcome: 'reject', at: expect.stringMatching(/Z$/) })],
          attemptCount: 1,
          diedAt: expect.stringMatching(/Z$/),
        },
      ],
    })
    expect(await (await post('/v1/subscriptions/crm/dead/discard', { sequences: [2] })).json()).toEqual({
      discarded: 1,
    })
    expect(await get('/v1/subscriptions/crm/dead')).toEqual({ dead: [] })
    expect(await (await post('/v1/subscriptions/crm/dead/redrive', { all: true })).json()).toEqual({ redriven: 0 })
  })

  test('have pages', async () => {
    const { publish, get, pipeline, post } = await opened()
    await publish(['a', 'b', 'c'].map((source) => order('bad', { source })))
    await pipeline.idle()
    const first = (await get('/v1/subscriptions/crm/dead?limit=2')) as { dead: Body[]; next: number }
    expect([first.dead.map(({ sequence }) => sequence), first.next]).toEqual([[1, 2], 2])
    const second = await get(`/v1/subscriptions/crm/dead?limit=2&after=${first.next}`)
    expect([(second['dead'] as Body[]).length, second['next']]).toEqual([1, undefined])
    expect(await (await post('/v1/subscriptions/crm/dead/redrive', { type: ['order.*'] })).json()).toEqual({
      redriven: 3,
    })
  })

  test.each([{}, { all: false }, { sequences: 'x' }, { everything: true }, []])(
    'a selection %j is 400',
    async (body) => {
      const { post } = await opened()
      expect((await post('/v1/subscriptions/crm/dead/redrive', body)).status).toBe(400)
    },
  )
})

describe('the service', () => {
  // SEC-82
  test('has metrics that Prometheus reads', async () => {
    const { publish, call, pipeline } = await opened()
    await publish([order('1'), order('bad')])
    await pipeline.idle()
    const answer = await call('/metrics')
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const text = await answer.text()
    expect(text).toContain(`millrace_info{version="${manifest.version}",store="memory",durability="memory"} 1\n`)
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [-+\d.eInf]+)$/)
    }
    expect(text).toContain('millrace_published_events_total{result="stored"} 2\n')
    expect(text).toContain('millrace_subscription_settled_total{subscription="crm",state="delivered"} 1\n')
    expect(text).toContain('millrace_subscription_dead_deliveries{subscription="crm"} 1\n')
    expect(text).toContain('millrace_stage_items_total{subscription="crm",stage="sink",outcome="passed"} 1\n')
    expect(text).toMatch(/millrace_stage_seconds_total\{subscription="crm",stage="sink"\} [\d.e-]+\n/)
    expect(text).toContain('millrace_stage_waiting_deliveries{subscription="crm",stage="sink"} 0\n')
    expect(text).toContain('millrace_stage_running_calls{subscription="crm",stage="sink"} 0\n')
    expect(text).toContain('millrace_subscription_lag_events{subscription="crm"} 0\n')
    expect(text).toMatch(/millrace_subscription_oldest_age_seconds\{subscription="crm"\} [\d.]+\n/)
    expect(text).toMatch(/process_resident_memory_bytes \d+\n/)
    expect(text).not.toContain('order.placed')
  })

  test('counts the events that it refuses, alone, in a batch and in a stream', async () => {
    const { publish, call, pipeline } = await opened()
    await publish({ source: 'shop', id: '1', type: 'a..b' })
    await publish([order('2'), { id: '3' }, 4])
    await call('/v1/events', {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: `${JSON.stringify(order('5'))}\n{bad\n`,
    }).then((answer) => answer.text())
    expect(pipeline.stats().published).toMatchObject({ stored: 2, refused: 4 })
    const text = await (await call('/metrics')).text()
    expect(text).toContain('millrace_published_events_total{result="refused"} 4\n')
  })

  test('proves its books', async () => {
    const { publish, get, pipeline } = await opened()
    await publish([order('1'), order('bad')])
    await pipeline.idle()
    expect(await get('/v1/audit')).toMatchObject({ ok: true, head: pipeline.store.head(), problems: [] })
  })

  test('describes every route in OpenAPI 3.1', async () => {
    const { get } = await opened()
    const document = (await get('/openapi.json')) as { openapi: string; paths: Record<string, Body> }
    expect(document.openapi).toBe('3.1.0')
    for (const { method, path } of Object.values(routes))
      expect(document.paths[path]).toHaveProperty(method.toLowerCase())
    expect(document.paths['/v1/events']).toMatchObject({
      get: { parameters: expect.arrayContaining([expect.objectContaining({ name: 'limit', in: 'query' })]) },
      post: { security: [{ token: ['ingest'] }], responses: { 413: expect.anything(), 503: expect.anything() } },
    })
  })

  test('has a page for every error code', async () => {
    const { get, call } = await opened()
    for (const code of Object.keys(errorCodes)) expect(await get(`/errors/${code}`)).toMatchObject({ code })
    expect((await call('/errors/__proto__')).status).toBe(404)
  })
})

describe('the fetch handler', () => {
  test('answers as the server does, below its path', async () => {
    const { pipeline } = await opened()
    const handle = createHandler(pipeline, { limits, basePath: '/bus', adminToken })
    const publish = (body: string, type = 'application/json') =>
      handle(new Request('http://app.test/bus/v1/events', { method: 'POST', body, headers: { 'content-type': type } }))
    const stored = await publish(JSON.stringify(order('1')))
    expect([stored.status, await stored.json()]).toEqual([
      201,
      { id: '1', source: 'shop', status: 'stored', sequence: 1, durability: 'memory' },
    ])
    expect((await publish('x'.repeat(limits.bodyBytes + 1))).status).toBe(413)
    expect((await publish('{', 'text/plain')).status).toBe(415)
    const lines = await publish(`${JSON.stringify(order('2'))}\n${JSON.stringify(order('3'))}`, 'application/x-ndjson')
    expect((await lines.text()).trim().split('\n')).toHaveLength(2)
    expect((await handle(new Request('http://app.test/bus/v1/events/3'))).status).toBe(200)
    expect((await handle(new Request('http://app.test/elsewhere'))).status).toBe(404)
  })

  // SEC-45, SEC-48
  test('refuses pages of other origins, and admin without the token', async () => {
    const { pipeline } = await opened()
    const call = (path: string, headers: Record<string, string>, method = 'GET') =>
      pipeline.handler(new Request(`http://app.test${path}`, { method, headers }))
    expect((await call('/v1/events', { origin: 'https://evil.test' })).status).toBe(403)
    expect((await call('/v1/events', { origin: 'http://app.test' })).status).toBe(200)
    expect((await call('/v1/subscriptions/crm/pause', {}, 'POST')).status).toBe(401)
    expect((await call('/v1/subscriptions/crm/pause', admin, 'POST')).status).toBe(401)
  })
})
