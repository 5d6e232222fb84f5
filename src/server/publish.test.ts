import { describe, expect, test } from 'vitest'
import { AppError } from '../core/errors.ts'
import { directory } from '../sources/directory.ts'
import { http } from '../sources/http.ts'
import { limits, openTestServer, order, sendRaw, type TestServer, withMembers } from './server.test-support.ts'

const structured = 'application/cloudevents+json'

async function expectProblem(answer: Response, status: number, code: string): Promise<Record<string, unknown>> {
  const body = (await answer.json()) as Record<string, unknown>
  expect({ status: answer.status, code: body['code'] }).toEqual({ status, code })
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(body['type']).toBe(`/errors/${code}`)
  expect(body['stack']).toBeUndefined()
  return body
}

/** After a refusal: nothing is stored, and the next event is taken. */
async function expectUnharmed({ pipeline, publish }: TestServer): Promise<void> {
  expect(pipeline.store.head()).toBe(0)
  expect((await publish(order('after'))).status).toBe(201)
}

describe('one event', () => {
  test('is 201 when stored, with its sequence and durability', async () => {
    const { publish } = await openTestServer()
    const answer = await publish(order('1'))
    expect(answer.status).toBe(201)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.json()).toEqual({
      id: '1',
      source: 'shop',
      status: 'stored',
      sequence: 1,
      durability: 'memory',
    })
  })

  test('is 200 with the first sequence when it was stored before', async () => {
    const { publish } = await openTestServer()
    await publish(order('1'))
    const answer = await publish(order('1'))
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ status: 'duplicate', sequence: 1 })
  })

  test('is 409 with the first sequence when its content differs, and changes nothing', async () => {
    const { publish, call } = await openTestServer()
    await publish(order('1'))
    const body = await expectProblem(await publish(order('1', { data: { total: 2 } })), 409, 'event-conflict')
    expect(body).toMatchObject({ id: '1', source: 'shop', status: 'conflict', sequence: 1, durability: 'memory' })
    expect(await (await call('/v1/events/1')).json()).toMatchObject({ data: { total: 1 } })
  })

  test('may be a structured CloudEvent', async () => {
    const { publish, call } = await openTestServer()
    const event = { specversion: '1.0', ...order('1'), traceparent: '00-1' }
    expect((await publish(event, `${structured}; charset=utf-8`)).status).toBe(201)
    const stored = await (await call('/v1/events/1')).json()
    expect(stored).toMatchObject({ ...event, sequence: '1', recordedtime: expect.any(String) })
  })

  test('may be a binary CloudEvent whose bytes come back unchanged', async () => {
    const { publish, call } = await openTestServer()
    const headers = { 'ce-specversion': '1.0', 'ce-id': 'a%20b', 'ce-source': 'shop', 'ce-type': 'image.taken' }
    expect((await publish(new Uint8Array([0, 255, 128]), 'image/png', headers)).status).toBe(201)
    const stored = await (await call('/v1/events/1')).json()
    expect(stored).toMatchObject({ id: 'a b', datacontenttype: 'image/png', data_base64: 'AP+A' })
  })

  // G4
  test('keeps its data as the producer wrote it', async () => {
    const { publish, call } = await openTestServer()
    await publish('{"source":"shop","id":"1","type":"order.placed","data":{"n":12345678901234567890,"__proto__":1.0}}')
    expect(await (await call('/v1/events/1')).text()).toContain('"data":{"n":12345678901234567890,"__proto__":1.0}')
  })
})

describe('a batch', () => {
  // S0-14
  test.each(['application/json', 'application/cloudevents-batch+json'])('as %s answers in order', async (type) => {
    const { publish } = await openTestServer()
    await publish(order('2'))
    const events = ['1', '2', '3'].map((id) => ({ specversion: '1.0', ...order(id) }))
    const answer = await publish(events, type)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      durability: 'memory',
      results: [
        { id: '1', source: 'shop', status: 'stored', sequence: 2 },
        { id: '2', source: 'shop', status: 'duplicate', sequence: 1 },
        { id: '3', source: 'shop', status: 'stored', sequence: 3 },
      ],
    })
  })

  // G2
  test('stores the valid ones in one commit and refuses the others in their place', async () => {
    const calls: number[] = []
    const { publish } = await openTestServer({}, {}, (pipeline) =>
      withMembers(pipeline, {
        ingest: (records) => {
          calls.push(records.length)
          return pipeline.ingest(records)
        },
      }),
    )
    const answer = await publish([order('1'), order(''), 7, order('3', { type: 'no type' }), order('4')])
    const { results } = (await answer.json()) as { results: { status: string; error?: { code: string } }[] }
    expect(answer.status).toBe(200)
    expect(results.map(({ status }) => status)).toEqual(['stored', 'refused', 'refused', 'refused', 'stored'])
    expect(results[1]?.error?.code).toBe('event-invalid')
    expect(calls).toEqual([2])
  })

  test('is 422 when none of it is valid, and nothing is stored', async () => {
    const server = await openTestServer()
    const body = await expectProblem(await server.publish([order(''), 7]), 422, 'events-all-invalid')
    expect(body['results']).toHaveLength(2)
    await expectUnharmed(server)
  })

  test('may be empty', async () => {
    const { publish } = await openTestServer()
    const answer = await publish([], 'application/cloudevents-batch+json')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ results: [], durability: 'memory' })
  })

  test('of more events than the limit is 413 and stores nothing', async () => {
    const server = await openTestServer({}, { limits: { ...limits, batch: 3 } })
    await expectProblem(await server.publish(['1', '2', '3', '4'].map((id) => order(id))), 413, 'body-too-large')
    await expectUnharmed(server)
  })
})

const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
const bad: readonly (readonly [string, string | Buffer, string, number, string])[] = [
  ['malformed JSON', '{"source":"shop"', 'application/json', 400, 'body-malformed'],
  ['an empty body', '', 'application/json', 400, 'body-malformed'],
  ['a number', '7', 'application/json', 400, 'body-malformed'],
  ['text/plain', JSON.stringify(order('1')), 'text/plain', 415, 'content-type-unsupported'],
  ['a form', 'a=1', 'application/x-www-form-urlencoded', 415, 'content-type-unsupported'],
  ['CloudEvents as XML', '<event/>', 'application/cloudevents+xml', 415, 'content-type-unsupported'],
  ['another charset', JSON.stringify(order('1')), 'application/json; charset=latin1', 415, 'content-type-unsupported'],
  ['no id', JSON.stringify({ source: 'shop', type: 'a.b' }), 'application/json', 400, 'event-invalid'],
  ['an empty id', JSON.stringify(order('')), 'application/json', 400, 'event-invalid'],
  ['an id that is a number', JSON.stringify(order('1', { id: 1 })), 'application/json', 400, 'event-invalid'],
  ['an id that is too long', JSON.stringify(order('x'.repeat(300))), 'application/json', 400, 'event-invalid'],
  ['no source', JSON.stringify({ id: '1', type: 'a.b' }), 'application/json', 400, 'event-invalid'],
  ['an empty source', JSON.stringify(order('1', { source: '' })), 'application/json', 400, 'event-invalid'],
  ['no type', JSON.stringify({ id: '1', source: 'shop' }), 'application/json', 400, 'event-invalid'],
  ['an empty type', JSON.stringify(order('1', { type: '' })), 'application/json', 400, 'event-invalid'],
  [
    'a type with an empty segment',
    JSON.stringify(order('1', { type: 'a..b' })),
    'application/json',
    400,
    'event-invalid',
  ],
  [
    'a type with spaces',
    JSON.stringify(order('1', { type: 'order placed' })),
    'application/json',
    400,
    'event-invalid',
  ],
  ['another specversion', JSON.stringify({ ...order('1'), specversion: '0.3' }), structured, 400, 'event-invalid'],
  [
    'data that is too deep',
    `{"source":"s","id":"1","type":"a.b","data":${deep(65)}}`,
    'application/json',
    400,
    'body-malformed',
  ],
  ['a bomb of brackets', '['.repeat(60_000), 'application/json', 400, 'body-malformed'],
  [
    'a body that is too large',
    JSON.stringify(order('1', { data: 'x'.repeat(70_000) })),
    'application/json',
    413,
    'body-too-large',
  ],
  [
    'wrong UTF-8',
    Buffer.from('{"source":"shop","id":"\xff","type":"a.b"}', 'latin1'),
    'application/json',
    400,
    'body-malformed',
  ],
  [
    'a type of the engine',
    JSON.stringify(order('1', { type: 'millrace.dead' })),
    'application/json',
    403,
    'type-reserved',
  ],
  [
    'the source of derived events',
    JSON.stringify(order('1', { source: 'millrace:/crm' })),
    'application/json',
    403,
    'source-forbidden',
  ],
]

describe('bad input', () => {
  // SEC-32, SEC-33, SEC-34, SEC-37, G3
  test.each(bad)(
    '%s is refused, nothing is stored, and the next event is taken',
    async (_name, body, type, status, code) => {
      const server = await openTestServer()
      const problem = await expectProblem(await server.publish(body, type), status, code)
      expect(JSON.stringify(problem).length).toBeLessThan(1_000)
      await expectUnharmed(server)
    },
  )

  // SEC-28
  test('a compressed body is 415', async () => {
    const server = await openTestServer()
    const answer = await server.publish('x', 'application/json', { 'content-encoding': 'gzip' })
    await expectProblem(answer, 415, 'content-type-unsupported')
    await expectUnharmed(server)
  })

  test('a body without a content type is 415', async () => {
    const { port } = await openTestServer()
    const head = 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}'
    expect(await sendRaw(port, head)).toMatch(/^HTTP\/1\.1 415 /)
  })

  // SEC-28: the limit is on what arrives, not on what is said
  test('a chunked body is cut at the limit', async () => {
    const server = await openTestServer()
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    const head =
      'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n'
    const answer = await sendRaw(server.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(6)}0\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    await expectUnharmed(server)
  })

  test('a body that is announced too large is refused before it comes', async () => {
    const { port } = await openTestServer()
    const head = 'POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const answer = await sendRaw(
      port,
      `${head}Expect: 100-continue\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n`,
    )
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
  })

  test('the name of a configured source that is not http is 403, and of an http source is not', async () => {
    const { publish } = await openTestServer({ sources: { inbox: directory({ path: '/tmp' }), api: http() } })
    await expectProblem(await publish(order('1', { source: 'inbox' })), 403, 'source-forbidden')
    expect((await publish(order('1', { source: 'api' }))).status).toBe(201)
  })
})

describe('pressure and failure', () => {
  // G3
  test.each([
    ['store-indeterminate', 'indeterminate'],
    ['store-full', undefined],
  ] as const)('%s is 503 with Retry-After and the outcome %s', async (code, outcome) => {
    const ingest = () => Promise.reject(new AppError(code, 'the write failed'))
    const { publish } = await openTestServer({}, {}, (pipeline) => withMembers(pipeline, { ingest }))
    const answer = await publish(order('1'))
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
    const body = await expectProblem(answer, 503, code)
    expect(body['outcome']).toBe(outcome)
  })

  // G3, SEC-37
  test('an error that nobody expected is indeterminate and not shown', async () => {
    const ingest = () => Promise.reject(new Error('SQLITE_SECRET at /home/me'))
    const { publish } = await openTestServer({}, {}, (pipeline) => withMembers(pipeline, { ingest }))
    const body = await expectProblem(await publish(order('1')), 503, 'store-indeterminate')
    expect(body['outcome']).toBe('indeterminate')
    expect(JSON.stringify(body)).not.toContain('SECRET')
  })

  // G28
  test('beyond the requests in flight it is 503 with Retry-After, and health still answers', async () => {
    const gate = Promise.withResolvers<void>()
    const entered = Promise.withResolvers<void>()
    const options = { inFlight: { requests: 1 } }
    const { publish, call } = await openTestServer({}, options, (pipeline) =>
      withMembers(pipeline, {
        ingest: async (records) => {
          entered.resolve()
          await gate.promise
          return pipeline.ingest(records)
        },
      }),
    )
    const first = publish(order('1'))
    await entered.promise
    const second = await publish(order('2'))
    expect(second.headers.get('retry-after')).toBe('1')
    await expectProblem(second, 503, 'overloaded')
    expect((await call('/livez')).status).toBe(200)
    gate.resolve()
    expect((await first).status).toBe(201)
    expect((await publish(order('2'))).status).toBe(201)
  })

  // G28
  test('beyond the bytes in flight it is 503, and the bytes are given back', async () => {
    const { publish } = await openTestServer({}, { inFlight: { bytes: 1_000 } })
    await expectProblem(await publish(order('1', { data: 'x'.repeat(2_000) })), 503, 'overloaded')
    for (const id of ['2', '3', '4']) expect((await publish(order(id, { data: 'x'.repeat(800) }))).status).toBe(201)
  })

  // SEC-35
  test('beyond the rate it is 429 with Retry-After', async () => {
    const { publish } = await openTestServer({}, { rate: { perSecond: 0.01, burst: 2 } })
    expect((await publish(order('1'))).status).toBe(201)
    expect((await publish(order('2'))).status).toBe(201)
    const answer = await publish(order('3'))
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(1)
    await expectProblem(answer, 429, 'rate-limited')
  })
})
