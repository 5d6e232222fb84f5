import { expect, test } from 'vitest'
import { cron } from '../sources/cron.ts'
import { http } from '../sources/http.ts'
import { as, openTestServer, shop, type TestServer, withMembers } from './server.test-support.ts'

const streams = ['account.*']
const fact = (id: string, more: object = {}) => ({
  source: 'shop',
  id,
  type: 'account.credited',
  data: { id },
  ...more,
})

async function append(
  { call }: TestServer,
  body: unknown,
  headers: Record<string, string> = {},
  stream = 'account-7',
): Promise<{ status: number; etag: string | null; body: Record<string, unknown> }> {
  const answer = await call(`/v1/streams/${encodeURIComponent(stream)}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return {
    status: answer.status,
    etag: answer.headers.get('etag'),
    body: (await answer.json()) as Record<string, unknown>,
  }
}

async function page({ call }: TestServer, query = '', stream = 'account-7') {
  const answer = await call(`/v1/streams/${encodeURIComponent(stream)}${query}`)
  const body = (await answer.json()) as {
    events: { version: number; event: Record<string, unknown> }[]
    version: number
    next?: number
  }
  return { status: answer.status, etag: answer.headers.get('etag'), body }
}

// S3-14
test('an append is 201 with the version, also as ETag, which the next append takes as If-Match', async () => {
  const server = await openTestServer({ streams })
  const first = await append(server, [fact('1'), fact('2')], { 'if-none-match': '*' })
  expect(first).toEqual({
    status: 201,
    etag: '"2"',
    body: {
      version: 2,
      results: [
        { id: '1', source: 'shop', status: 'stored', sequence: 1 },
        { id: '2', source: 'shop', status: 'stored', sequence: 2 },
      ],
      durability: 'memory',
    },
  })
  expect(await append(server, fact('3'), { 'if-match': first.etag! })).toMatchObject({ status: 201, etag: '"3"' })
  expect(await append(server, fact('4'))).toMatchObject({ status: 201, etag: '"4"' })
  expect(server.pipeline.stats().published.stored).toBe(4)
})

// G9
test('an append against another version is 412 with both versions, and stores nothing', async () => {
  const server = await openTestServer({ streams })
  await append(server, fact('1'))
  for (const [headers, expected] of [
    [{ 'if-match': '"0"' }, 0],
    [{ 'if-match': '"7"' }, 7],
    [{ 'if-none-match': '*' }, 0],
  ] as const) {
    const { status, body } = await append(server, fact('x'), headers)
    expect({ status, body }).toMatchObject({
      status: 412,
      body: { code: 'version-conflict', stream: 'account-7', expected, actual: 1 },
    })
  }
  expect(server.pipeline.store.head()).toBe(1)
})

// G6
test('an append that is repeated because its answer was lost is 200, with what the first one stored', async () => {
  const server = await openTestServer({ streams })
  await append(server, [fact('1'), fact('2')], { 'if-none-match': '*' })
  await append(server, fact('3'), { 'if-match': '"2"' })
  const again = await append(server, [fact('1'), fact('2')], { 'if-none-match': '*' })
  expect(again).toMatchObject({
    status: 200,
    etag: '"2"',
    body: { version: 2, results: [{ status: 'duplicate', sequence: 1 }, { status: 'duplicate' }] },
  })
  const other = await append(server, fact('1', { data: 'other' }), { 'if-match': '"3"' })
  expect(other).toMatchObject({ status: 409, body: { code: 'event-conflict', id: '1', sequence: 1 } })
})

test('a look at a stream is a page of events with versions, and says the version and where to go on', async () => {
  const server = await openTestServer({ streams })
  await append(
    server,
    ['1', '2', '3', '4', '5'].map((id) => fact(id)),
    {},
    'account/7 ü',
  )
  const first = await page(server, '?limit=2', 'account/7 ü')
  expect(first).toMatchObject({ status: 200, etag: '"5"', body: { version: 5, next: 2 } })
  expect(first.body.events.map(({ version, event }) => [version, event['id'], event['subject']])).toEqual([
    [1, '1', 'account/7 ü'],
    [2, '2', 'account/7 ü'],
  ])
  const last = await page(server, '?after=4', 'account/7 ü')
  expect(last.body).toMatchObject({ version: 5, events: [{ version: 5, event: { id: '5', data: { id: '5' } } }] })
  expect(last.body).not.toHaveProperty('next')
  const asItWas = await page(server, '?until=3&after=1', 'account/7 ü')
  expect(asItWas.body.events.map(({ version }) => version)).toEqual([2, 3])
  expect(asItWas.etag).toBe('"3"')
  expect((await page(server, '?until=2001-01-01T00:00:00Z', 'account/7 ü')).body).toEqual({ events: [], version: 0 })
  expect(await page(server, '', 'nothing')).toMatchObject({
    status: 200,
    etag: '"0"',
    body: { events: [], version: 0 },
  })
  for (const wrong of ['?limit=0', '?after=-1', '?until=soon', '?type=x'])
    expect((await page(server, wrong)).status).toBe(400)
})

// G9
test('the version of a page is not newer than its events, whoever appends while it is read', async () => {
  const server = await openTestServer({ streams }, {}, (pipeline) =>
    withMembers(pipeline, {
      async *readStream(...given) {
        await pipeline.append('account-7', [fact('between')], { expect: 'any' })
        yield* pipeline.readStream(...given)
      },
    }),
  )
  await append(server, fact('1'))
  const { etag, body } = await page(server)
  expect([etag, body.version, body.events.map(({ version }) => version)]).toEqual(['"1"', 1, [1]])
  expect((await append(server, fact('2'), { 'if-match': etag! })).status).toBe(412)
})

test('a page of large events is short, and the pages together are the stream', async () => {
  const server = await openTestServer({ streams }, { limits: { bodyBytes: 2 ** 20, batch: 100, depth: 64 } })
  for (let id = 1; id <= 4; id++) await append(server, fact(`${id}`, { data: 'x'.repeat(600_000) }))
  const versions: number[] = []
  let pages = 0
  for (let next: number | undefined = 0; next !== undefined; pages++) {
    const { body } = await page(server, `?after=${next}`)
    versions.push(...body.events.map(({ version }) => version))
    next = body.next
  }
  expect([versions, pages]).toEqual([[1, 2, 3, 4], 2])
})

// G29
test('a look that needs what retention took is 410 with the oldest version kept', async () => {
  const server = await openTestServer({ streams })
  await append(server, [fact('1'), fact('2'), fact('3')])
  await server.pipeline.store.prune({ events: 2 })
  expect(await page(server)).toMatchObject({ status: 410, body: { code: 'events-removed', oldest: 3 } })
  expect((await page(server, '?after=2')).body.events).toMatchObject([{ version: 3 }])
})

test('an append is one commit: one wrong event, lines, or headers that contradict each other store nothing', async () => {
  const server = await openTestServer({ streams, sources: { api: http(), clock: cron({ schedule: '0 0 1 1 *' }) } })
  const refused: [unknown, Record<string, string>, number, string][] = [
    [[fact('1'), fact('2', { type: 'mail.sent' })], {}, 400, 'event-invalid'],
    [[fact('1'), { id: '2' }], {}, 400, 'event-invalid'],
    [[fact('1'), fact('2', { subject: 'account-8' })], {}, 400, 'event-invalid'],
    [[], {}, 400, 'event-invalid'],
    [[fact('1', { type: 'millrace.dead' })], {}, 403, 'type-reserved'],
    [[fact('1'), fact('2', { source: 'clock' })], {}, 403, 'source-forbidden'],
    [fact('1'), { 'if-match': '"1"', 'if-none-match': '*' }, 400, 'bad-request'],
    [fact('1'), { 'if-match': '*' }, 400, 'bad-request'],
    [fact('1'), { 'if-match': 'W/"1"' }, 400, 'bad-request'],
    [fact('1'), { 'if-none-match': '"1"' }, 400, 'bad-request'],
    [fact('1'), { 'content-type': 'application/x-ndjson' }, 415, 'content-type-unsupported'],
  ]
  for (const [body, headers, status, code] of refused)
    expect(await append(server, body, headers)).toMatchObject({ status, body: { code } })
  expect(server.pipeline.store.head()).toBe(0)
})

// SEC-25
test('reading needs the scope read and appending ingest, within the sources of the token', async () => {
  const tokens = [
    { ...shop, scopes: ['ingest'], sources: ['shop'] },
    { ...shop, name: 'eye', hash: (await import('./auth.ts')).tokenHash('eye-token'), scopes: ['read'] },
  ] as const
  const server = await openTestServer({ streams }, { tokens, host: '127.0.0.1' })
  expect((await append(server, fact('1'), as('eye-token'))).status).toBe(403)
  expect((await append(server, fact('1', { source: 'crm' }), as('shop-token'))).body['code']).toBe('source-forbidden')
  expect((await append(server, fact('1'), as('shop-token'))).status).toBe(201)
  const look = (token: string) => server.call('/v1/streams/account-7', { headers: as(token) })
  expect((await look('shop-token')).status).toBe(403)
  expect((await look('eye-token')).status).toBe(200)
})

test('an event posted without the subject that its stream needs is 400 and says so', async () => {
  const { publish } = await openTestServer({ streams })
  const answer = await publish(fact('1'))
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    code: 'event-invalid',
    detail: expect.stringMatching(/subject is missing/),
  })
  const batch = await publish([fact('1'), fact('2', { subject: 'account-7' })])
  expect(await batch.json()).toMatchObject({ results: [{ status: 'refused' }, { status: 'stored' }] })
})
