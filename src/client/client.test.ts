import { describe, expect, test, vi } from 'vitest'
import { AppError } from '../core/errors.ts'
import { openTestServer } from '../server/server.test-support.ts'
import { broken, expectBalance, nowhere, reply, scripted, testClient } from './client.test-support.ts'

const placed = (id: string, more: object = {}) => ({ type: 'order.placed', id, data: { total: 1 }, ...more })
const many = (count: number) => Array.from({ length: count }, (_, i) => placed(`e${i}`))

async function stored(pipeline: Awaited<ReturnType<typeof openTestServer>>['pipeline']) {
  return (await pipeline.store.read(0, 10_000)).map(({ id }) => id)
}

describe('a client of a server that is there', () => {
  test('answers what the server answers: stored, duplicate, conflict', async () => {
    const { server } = await openTestServer()
    const client = testClient({ url: server.url })
    expect(await client.publish(placed('1'))).toEqual({
      id: '1',
      source: 'shop',
      status: 'stored',
      sequence: 1,
      durability: 'memory',
    })
    expect(await client.publish(placed('1'))).toMatchObject({ status: 'duplicate', sequence: 1 })
    expect(await client.publish(placed('1', { data: 2 }))).toMatchObject({ status: 'conflict', sequence: 1 })
    const stats = client.stats()
    expect(stats).toMatchObject({ published: 3, sent: 3, stored: 1, duplicates: 1, conflicts: 1, waiting: 0 })
    expectBalance(stats)
  })

  // S3-19
  test('gives ids that sort by time to events that have none', async () => {
    const { server, pipeline } = await openTestServer()
    const client = testClient({ url: server.url })
    const first = await client.publish({ type: 'a.b' })
    await new Promise((resolve) => setTimeout(resolve, 2))
    const second = await client.publish({ type: 'a.b' })
    expect(first.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    expect(second.id > first.id).toBe(true)
    expect(await stored(pipeline)).toEqual([first.id, second.id])
  })

  test('what is not valid is refused before it is sent: thrown alone, in its place among others', async () => {
    const { server } = await openTestServer()
    const { fetch, bodies } = scripted()
    const client = testClient({ url: server.url, fetch })
    await expect(client.publish({ type: 'not a type' })).rejects.toMatchObject({ code: 'event-invalid' })
    await expect(client.publish({ type: 'a.b', data: 1n })).rejects.toThrow('cannot be written as JSON')
    await expect(client.publish(null as never)).rejects.toThrow('an event is an object')
    expect(bodies).toEqual([])
    const results = await client.publish([placed('1'), { type: 'a.b', source: '' }, placed('2')])
    expect(results.map(({ status }) => status)).toEqual(['stored', 'refused', 'stored'])
    // Only the server knows which sources are its own.
    await expect(client.publish({ type: 'a.b', source: 'millrace:/x' })).rejects.toMatchObject({
      code: 'source-forbidden',
    })
    expectBalance(client.stats())
  })

  test('sends every field as it was given, bytes and notBefore too', async () => {
    const { server, pipeline } = await openTestServer()
    const client = testClient({ url: server.url })
    const notBefore = new Date(Date.now() + 60_000)
    const fields = { subject: 'order-1', time: '2026-01-31T12:00:00+01:00', dataschema: 'https://example.com/s' }
    await client.publish([
      { id: '1', type: 'a.b', data: { 'ü\n': [1.5, null] }, meta: { traceparent: 'x', deep: { a: [1] } }, ...fields },
      { id: '2', type: 'a.b', data: new Uint8Array([0, 255]), datacontenttype: 'image/png', meta: { deep: { a: 1 } } },
      { id: '3', type: 'a.b', notBefore },
    ])
    const [first, second, third] = await pipeline.store.read(0, 3)
    expect(first!.record).toMatchObject({ ...fields, data: '{"ü\\n":[1.5,null]}' })
    expect(first!.meta).toEqual({ traceparent: 'x', deep: { a: [1] } })
    expect(second!.record).toMatchObject({ data: new Uint8Array([0, 255]), datacontenttype: 'image/png' })
    expect(second!.meta).toEqual({ deep: { a: 1 } })
    expect(third!.meta).toEqual({ notbefore: notBefore.toISOString() })
    expect(third!.record.time).toBeUndefined()
  })

  test('events published at the same time go together, and are stored in the order of the calls', async () => {
    const { server, pipeline } = await openTestServer()
    const { fetch, bodies } = scripted()
    const client = testClient({ url: server.url, fetch, batch: { size: 400 } })
    const results = await Promise.all(many(1000).map((event) => client.publish(event)))
    expect(results.map(({ sequence }) => sequence)).toEqual(results.map((_, i) => i + 1))
    expect(await stored(pipeline)).toEqual(many(1000).map(({ id }) => id))
    expect(bodies.map(({ length }) => length)).toEqual([400, 400, 200])
  })

  test('batch.wait holds back the first for those that come soon after', async () => {
    const { server } = await openTestServer()
    const { fetch, bodies } = scripted()
    const client = testClient({ url: server.url, fetch, batch: { wait: '50ms' } })
    const first = client.publish(placed('1'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    await Promise.all([first, client.publish(placed('2'))])
    expect(bodies.map(({ length }) => length)).toEqual([2])
  })

  test('one event that spoils a request is refused by itself, and the others are stored', async () => {
    const { server, pipeline } = await openTestServer()
    const client = testClient({ url: server.url })
    const deep = JSON.parse(`${'['.repeat(200)}${']'.repeat(200)}`) as unknown
    const large = 'x'.repeat(100_000)
    const events = many(40).map((event, i) => ({
      ...event,
      data: i === 7 ? deep : i === 31 ? large : 'x'.repeat(3000),
    }))
    const results = await client.publish(events)
    expect(results.filter(({ status }) => status === 'stored')).toHaveLength(38)
    expect(results[7]).toMatchObject({
      id: 'e7',
      status: 'refused',
      error: { code: expect.stringMatching(/malformed|invalid/) },
    })
    expect(results[31]).toMatchObject({ id: 'e31', status: 'refused', error: { code: 'body-too-large' } })
    expect(pipeline.store.head()).toBe(38)
    expectBalance(client.stats())
  })

  test('a token that is not known is an error at once, and nothing is tried again', async () => {
    const { server } = await openTestServer({}, { tokens: [] })
    const { fetch, bodies } = scripted()
    const client = testClient({ url: server.url, fetch, token: 'wrong' })
    await expect(client.publish(placed('1'))).rejects.toMatchObject({ code: 'unauthorized' })
    expect(bodies).toHaveLength(1)
    expect(JSON.stringify(client.stats())).not.toContain('wrong')
  })

  test('a redirect is not followed, and an address that is not a server of ours is an error', async () => {
    const { server } = await openTestServer()
    const moved = scripted(async () => reply(308, {}, { location: 'http://127.0.0.1:1/' }))
    const client = testClient({ url: server.url, fetch: moved.fetch })
    await expect(client.publish(placed('1'))).rejects.toThrow('redirects are not followed')
    const elsewhere = testClient({ url: `${server.url}/nowhere` })
    await expect(elsewhere.publish(placed('1'))).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('a client of a server that is busy, slow or away', () => {
  // S3-10
  test('sends again after what Retry-After says, with the same ids', async () => {
    const { server } = await openTestServer()
    const { fetch, bodies } = scripted(
      async () => reply(429, { code: 'rate-limited' }, { 'retry-after': '1' }),
      async () => reply(503, { code: 'overloaded' }, { 'retry-after': '0' }),
    )
    const client = testClient({ url: server.url, fetch })
    const before = performance.now()
    const results = await client.publish([{ type: 'a.b' }, { type: 'a.b' }])
    expect(performance.now() - before).toBeGreaterThanOrEqual(990)
    expect(results.map(({ status }) => status)).toEqual(['stored', 'stored'])
    expect(bodies[1]).toEqual(bodies[0])
    expect(bodies[2]).toEqual(bodies[0])
    expect(client.stats()).toMatchObject({ retried: 4, stored: 2, duplicates: 0 })
  })

  // G3 S3-19
  test('an answer that never came is asked for again, and the server knows what it has', async () => {
    const { server, pipeline } = await openTestServer()
    const lost = async (ask: () => Promise<unknown>) => {
      await ask()
      return broken('UND_ERR_SOCKET')
    }
    const half = async () => ({ ...reply(200), status: 200, headers: new Headers(), text: async () => '{"results":[' })
    const { fetch } = scripted(
      lost,
      half,
      async () => reply(502),
      async () => reply(200, { ok: true }),
      async () => reply(200, { results: [{ id: 'e0', status: 'stored' }] }),
    )
    const client = testClient({ url: server.url, fetch })
    const results = await client.publish(many(3))
    expect(results.map(({ status }) => status)).toEqual(['duplicate', 'duplicate', 'duplicate'])
    expect(pipeline.store.head()).toBe(3)
    expect(client.stats()).toMatchObject({ duplicates: 3, retried: 15 })
    expect(client.stats().lastError).toBeUndefined()
  })

  test('events that came while a request failed are stored after those of it', async () => {
    const { server, pipeline } = await openTestServer()
    const { promise, reject } = Promise.withResolvers<never>()
    const { fetch, bodies } = scripted(() => promise)
    const client = testClient({ url: server.url, fetch })
    const first = client.publish([placed('1'), placed('2')])
    await vi.waitFor(() => expect(bodies).toHaveLength(1))
    const second = client.publish(placed('3'))
    setTimeout(reject, 5, new Error('cut'))
    await Promise.all([first, second])
    expect(await stored(pipeline)).toEqual(['1', '2', '3'])
  })

  // S3-23
  test('throw: publish rejects when its time is over, and says whether the events may be stored', async () => {
    const retry = { first: '1ms', most: '5ms', giveUpAfter: '30ms' }
    const away = testClient({ url: await nowhere(), retry })
    const error = await away.publish([placed('1'), { type: 'not a type' }]).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(AppError)
    expect(error).toMatchObject({
      code: 'server-unreachable',
      message: expect.stringContaining('it is not stored'),
      facts: { results: [{ id: '1', status: 'refused' }, { status: 'refused' }] },
    })
    const unsure = testClient({ url: 'http://127.0.0.1:1', retry, fetch: () => broken('ECONNRESET') })
    await expect(unsure.publish({ type: 'a.b' })).rejects.toMatchObject({
      message: expect.stringContaining('publishing it again with its id is safe'),
      facts: { results: [{ id: expect.stringMatching(/-7/), status: 'unknown' }] },
    })
    for (const client of [away, unsure]) expectBalance(client.stats())
    expect(away.stats()).toMatchObject({
      published: 2,
      failed: 1,
      refused: 1,
      lastError: expect.stringContaining('ECONNREFUSED'),
    })
  })

  // S3-23
  test('drop: publish resolves with dropped, and it is counted', async () => {
    const retry = { first: '1ms', most: '5ms', giveUpAfter: '20ms' }
    const client = testClient({ url: 'http://127.0.0.1:1', onUnavailable: 'drop', retry })
    expect((await client.publish(many(3))).map(({ status }) => status)).toEqual(['dropped', 'dropped', 'dropped'])
    expect(await client.publish(placed('9'))).toEqual({ id: '9', source: 'shop', status: 'dropped' })
    expect(client.stats()).toMatchObject({ published: 4, dropped: 4 })
    expectBalance(client.stats())
  })

  test('one that never answers is given up after the timeout, also when the given fetch does not look at its signal', async () => {
    const retry = { first: '1ms', most: '5ms', giveUpAfter: '60ms' }
    const fetch = vi.fn(() => new Promise<never>(() => undefined))
    const client = testClient({ url: 'http://127.0.0.1:1', timeout: '20ms', retry, fetch })
    await expect(client.publish(placed('1'))).rejects.toThrow('no answer for 20 ms')
    expect(fetch.mock.calls.length).toBeGreaterThan(1)
  })

  // G28 S3-10
  test('what waits in memory has a bound: beyond it publish throws, or drops, at once', async () => {
    for (const onUnavailable of ['throw', 'drop'] as const) {
      const fetch = () => new Promise<never>(() => undefined)
      const client = testClient({ url: 'http://127.0.0.1:1', fetch, onUnavailable, maxWaiting: 5 })
      const first = client.publish(many(5)).catch(() => 'given up')
      await vi.waitFor(() => expect(client.stats().waiting).toBe(5))
      const sixth = client.publish(placed('6'))
      if (onUnavailable === 'throw') await expect(sixth).rejects.toMatchObject({ code: 'overloaded' })
      else expect(await sixth).toMatchObject({ status: 'dropped' })
      expectBalance(client.stats())
      await client.close({ deadline: '0ms' })
      await first
      expectBalance(client.stats())
      expect(client.stats().waiting).toBe(0)
    }
  })
})

describe('the end of a client', () => {
  test('flush waits for what was published; close sends it, and takes nothing more', async () => {
    const { server, pipeline } = await openTestServer()
    const client = testClient({ url: server.url })
    expect(await client.flush()).toBe(true)
    const publishing = client.publish(many(100))
    expect(await client.flush()).toBe(true)
    expect(pipeline.store.head()).toBe(100)
    const last = client.publish(placed('last'))
    await client.close()
    expect(await last).toMatchObject({ status: 'stored' })
    await publishing
    await expect(client.publish(placed('later'))).rejects.toMatchObject({ code: 'stopping' })
    await client.close()
    expectBalance(client.stats())
  })

  test('flush answers false, and close gives up, when the server stays away', async () => {
    const client = testClient({ url: 'http://127.0.0.1:1' })
    const publishing = client.publish(placed('1'))
    expect(await client.flush({ deadline: '20ms' })).toBe(false)
    await Promise.all([
      expect(publishing).rejects.toMatchObject({ code: 'server-unreachable' }),
      client.close({ deadline: '10ms' }),
    ])
  })
})

describe('options', () => {
  test('that are wrong are refused when the client is made, without what they hold', () => {
    const wrong: [object, string][] = [
      [{ url: 'nowhere' }, 'url is not an address'],
      [{ url: 'ftp://x' }, 'url begins with'],
      [{ url: 'http://user:secret@x' }, 'url holds a password'],
      [{ onUnavailable: 'wait' }, 'onUnavailable is one of throw, drop, buffer'],
      [{ onUnavailable: 'buffer' }, 'give buffer: { path }'],
      [{ buffer: { path: 'x' } }, "onUnavailable is not 'buffer'"],
      [{ onUnavailable: 'buffer', buffer: { path: '' } }, 'buffer.path is empty'],
      [{ onUnavailable: 'buffer', buffer: { path: 'x', maxBytes: 1 } }, 'buffer.maxBytes'],
      [{ onUnavailable: 'buffer', buffer: { path: 'x', whenFull: 'wait' } }, 'buffer.whenFull'],
      [{ timeout: '10' }, 'timeout: "10" has no unit'],
      [{ batch: { size: 0 } }, 'batch.size'],
    ]
    for (const [options, words] of wrong) {
      const make = () => testClient({ url: 'http://127.0.0.1:1', ...options } as never)
      expect(make, words).toThrow(words)
      expect(make).not.toThrow('secret')
    }
  })

  test('a client in a folder of an application goes to where the handler is mounted', async () => {
    const urls: string[] = []
    const fetch = async (url: string) => {
      urls.push(url)
      return reply(401, { code: 'unauthorized' })
    }
    await testClient({ url: 'https://app.example/events-api/', fetch })
      .publish(placed('1'))
      .catch(() => undefined)
    expect(urls).toEqual(['https://app.example/events-api/v1/events'])
  })
})
