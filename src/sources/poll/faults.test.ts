import type { ServerResponse } from 'node:http'
import { describe, expect, it, vi } from 'vitest'
import { createWorld, failing, type Reply, startApi } from './world.test-support.ts'

const rows = (...ids: string[]) => ids.map((id) => ({ id }))
const good: Reply = { body: rows('a', 'b') }
const byId = { id: '$.id' }

/** A poll of an API that gives these answers one after the other, and the last one for ever. */
async function worldOf(replies: readonly Reply[], options: Record<string, unknown> = {}) {
  const api = await startApi((_, number) => replies[Math.min(number, replies.length) - 1]!)
  return { api, world: createWorld({ url: api.url, ...byId, ...options }) }
}
type World = Awaited<ReturnType<typeof worldOf>>['world']

/** How long the next poll is held back. */
async function heldBack(world: World): Promise<number> {
  const from = world.platform.clock.monotonic()
  await world.poll().catch(() => undefined)
  return world.platform.clock.monotonic() - from
}

describe('an answer that is of no use fails the poll, moves nothing, and is asked for again', () => {
  const html = { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<html>Log in, secret</html>' }
  const cut = (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('[{"id":"a"},')
    setImmediate(() => response.destroy())
  }
  it.each<[string, Reply, RegExp]>([
    ['500', { status: 500, body: { secret: 1 } }, /status 500;/],
    ['404', { status: 404 }, /status 404;/],
    ['401', { status: 401 }, /status 401: check the credentials/],
    ['a redirect', { status: 302, headers: { location: '/elsewhere' } }, /status 302: redirects are not followed/],
    ['JSON that was cut short', { body: '[{"id":"a"},{"id"' }, /the answer is not whole JSON/],
    ['nothing', { body: '' }, /the answer is not whole JSON/],
    ['HTML', html, /the answer is text\/html and not JSON/],
    ['a connection that is closed in the middle', cut, /closed before the answer|not valid HTTP|could not be reached/],
    ['a 304 that nobody asked for', { status: 304 }, /status 304, which was not asked for/],
    ['no list', { body: { error: 'no' } }, /has no id|no list/],
    ['a list that is a text', { body: '"none"' }, /has no list of items at \$/],
  ])('%s', async (_, reply, message) => {
    const { api, world } = await worldOf([reply, good])
    const said = await failing(world.poll())
    expect(said).toMatch(message)
    expect(said).toMatch(/^polling 127\.0\.0\.1:\d+ failed: .*; the next try is in \d+s$/)
    expect(said).not.toContain('secret')
    expect(world.cursor()).toBeUndefined()
    await world.poll()
    expect(world.ids()).toEqual(['a', 'b'])
    expect(api.asked).toHaveLength(2)
  })

  it('bytes that are no text in UTF-8', async () => {
    const reply = (response: ServerResponse) => response.end(Buffer.from([0x22, 0xff, 0x22]))
    const { world } = await worldOf([reply])
    expect(await failing(world.poll())).toMatch(/not text in UTF-8/)
  })

  it('a huge body, which is not read to its end', async () => {
    let sent = 0
    const flood = (response: ServerResponse) => {
      const part = Buffer.alloc(64 * 1024, 0x20)
      const more = () => {
        while (!response.destroyed && response.write(part)) sent += part.length
      }
      response.on('drain', more).on('error', () => undefined)
      more()
    }
    const { api, world } = await worldOf([flood, good], { maxBody: '1MiB' })
    expect(await failing(world.poll())).toMatch(/larger than 1048576 bytes: raise maxBody/)
    expect(sent).toBeLessThan(32 * 1024 * 1024)
    await world.poll()
    expect(world.ids()).toEqual(['a', 'b'])
    expect(api.open()).toBeLessThanOrEqual(2)
  })

  it('a slow drip, which is given up after the timeout', async () => {
    let isDripping = false
    const drip = (response: ServerResponse) => {
      response.writeHead(200)
      response.write('[')
      isDripping = true
    }
    const { world } = await worldOf([drip, good], { timeout: '10s' })
    const said = failing(world.poll())
    await vi.waitFor(() => expect(isDripping).toBe(true))
    await world.platform.advance(9_999)
    await world.platform.advance(1)
    expect(await said).toMatch(/no answer within the timeout/)
    await world.poll()
    expect(world.ids()).toEqual(['a', 'b'])
  })

  it('a server that is not there, and an address that may not be reached', async () => {
    const away = createWorld({ url: 'http://127.0.0.1:9/rows' })
    expect(await failing(away.poll())).toMatch(/connection was refused|egress/)
    const inner = createWorld({ url: 'http://169.254.169.254/latest/meta-data' })
    expect(await failing(inner.poll())).toMatch(/egress rules do not allow the address: add it to egress.allow/)
  })

  it('a stop does not wait for an answer', async () => {
    let isAsked = false
    const silent = () => {
      isAsked = true
    }
    const { world } = await worldOf([silent])
    const polled = world.poll()
    await vi.waitFor(() => expect(isAsked).toBe(true))
    world.stop()
    await expect(polled).rejects.toThrow('the source has ended')
  })
})

describe('an item that lacks what is configured fails the poll, by its place', () => {
  it.each<[string, Record<string, unknown>, unknown, RegExp]>([
    [
      'an id',
      { id: '$.key' },
      { name: 'x' },
      /item \$\.items\[1\] has no id at \$\.key; nothing of its page was stored/,
    ],
    ['an id that is text', { id: '$.key' }, { key: { a: 1 } }, /has no id at/],
    ['a type', { map: { type: '$.kind' } }, {}, /has no type at \$\.kind/],
    ['a type by expression', { map: { type: 'item.kind + "!"' } }, { kind: 5 }, /has no type at item\.kind/],
    ['a time', { time: '$.at' }, { key: 1 }, /has no time at \$\.at;/],
    ['a time that is text', { time: '$.at' }, { at: 5 }, /has no time at \$\.at, but a number: set timeFormat/],
    ['a time that exists', { time: '$.at', timeFormat: 'seconds' }, { at: 1e20 }, /has no time at/],
    ['a cursor', { cursorField: '$.at' }, { at: null }, /has no cursor at \$\.at/],
    ['a subject that is text', { subject: '$.who' }, { who: [1] }, /has a subject at \$\.who that is not text/],
  ])('%s', async (_, options, bad, message) => {
    const fine = { key: 'k', kind: 'a.b', at: options['timeFormat'] === 'seconds' ? 5 : '2026-01-01T00:00:00Z' }
    const api = await startApi(() => ({ body: { items: [fine, bad] } }))
    const world = createWorld({ url: api.url, items: '$.items', ...options })
    expect(await failing(world.poll())).toMatch(message)
    expect(world.ids()).toEqual([])
    expect(world.cursor()).toBeUndefined()
  })

  it('a subject that is missing or null is none', async () => {
    const api = await startApi(() => ({ body: [{ n: 1 }, { n: 2, who: null }] }))
    const world = createWorld({ url: api.url, subject: '$.who' })
    await world.poll()
    expect([...world.stored.values()].map(({ subject }) => subject)).toEqual([undefined, undefined])
  })
})

describe('after failures', () => {
  it('pauses double up to the longest, and begin anew after a success', async () => {
    const failed: Reply = { status: 503 }
    const { world } = await worldOf([failed, failed, failed, failed, good, failed, good], {
      every: '1s',
      backoff: { first: '10s', max: '30s' },
    })
    await failing(world.poll())
    const pauses = [await heldBack(world), await heldBack(world), await heldBack(world), await heldBack(world)]
    const expected = [10_000, 20_000, 30_000, 30_000]
    pauses.forEach((ms, index) => {
      expect(ms).toBeLessThanOrEqual(expected[index]!)
      expect(ms).toBeGreaterThanOrEqual(expected[index]! * 0.8)
    })
    expect(await heldBack(world)).toBe(1000)
    const last = await heldBack(world)
    expect(last).toBeGreaterThanOrEqual(8000)
    expect(last).toBeLessThanOrEqual(10_000)
  })

  it.each([
    ['seconds', '120', 120_000],
    ['a date', 'Thu, 01 Jan 2026 00:03:00 GMT', 180_000],
    ['more than is honoured', '86400', 3_600_000],
  ])('a Retry-After is honoured: %s', async (_, value, ms) => {
    const { world } = await worldOf([{ status: 429, headers: { 'retry-after': value } }, good])
    const said = await failing(world.poll())
    expect(said).toMatch(/status 429; the next try is in (2m|3m|1h)$/)
    expect(await heldBack(world)).toBe(ms)
    expect(world.ids()).toEqual(['a', 'b'])
  })

  it('a Retry-After that is shorter than the back-off, or no time at all, changes nothing', async () => {
    const { world } = await worldOf([
      { status: 503, headers: { 'retry-after': '1' } },
      { status: 429, headers: { 'retry-after': 'soon' } },
      good,
    ])
    await failing(world.poll())
    expect(await heldBack(world)).toBeGreaterThanOrEqual(4000)
    expect(await heldBack(world)).toBeGreaterThanOrEqual(8000)
    expect(world.ids()).toEqual(['a', 'b'])
  })

  it('a poll by cron is tried again after the pause, and then waits for its moment again', async () => {
    const { api, world } = await worldOf([{ status: 500 }, good], { cron: '0 * * * *' })
    expect(await failing(pollUntilAsked(world, api, 1))).toMatch(/status 500/)
    const failedMs = world.platform.clock.now()
    await pollUntilAsked(world, api, 2)
    expect(world.platform.clock.now() - failedMs).toBeLessThanOrEqual(5_000)
    await pollUntilAsked(world, api, 3)
    expect(new Date(world.platform.clock.now()).toISOString()).toBe('2026-01-01T02:00:00.000Z')
  })
})

/** A wait for a moment comes in pieces. */
async function pollUntilAsked(world: World, { asked }: { asked: readonly unknown[] }, count: number): Promise<void> {
  for (let n = 0; n < 400 && asked.length < count; n++) await world.poll()
}

describe('an answer that has not changed', () => {
  const versioned = (etag: string, ...ids: string[]): Reply => ({ headers: { etag }, body: rows(...ids) })

  it('is not sent again by a server that knows its version', async () => {
    const { api, world } = await worldOf([versioned('"1"', 'a'), { status: 304 }, { status: 304 }])
    await world.poll()
    await world.poll()
    await world.crash()
    await world.poll()
    expect(api.asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"', '"1"'])
    expect(world.counts).toEqual({ stored: 1, duplicate: 0, conflict: 0 })
  })

  it('is known by Last-Modified too', async () => {
    const at = 'Thu, 01 Jan 2026 00:00:00 GMT'
    const { api, world } = await worldOf([{ headers: { 'last-modified': at }, body: rows('a') }, { status: 304 }])
    await world.poll()
    await world.poll()
    expect(api.asked[1]!.headers['if-modified-since']).toBe(at)
  })

  it('a version that changes each time, with the same rows, stores nothing twice', async () => {
    const { api, world } = await worldOf([
      versioned('W/"1"', 'a'),
      versioned('W/"2"', 'a'),
      versioned('W/"3"', 'a', 'b'),
    ])
    for (let n = 0; n < 3; n++) await world.poll()
    expect(api.asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, 'W/"1"', 'W/"2"'])
    expect(world.counts).toEqual({ stored: 2, duplicate: 2, conflict: 0 })
  })

  it('the version of a page whose commit failed is not remembered', async () => {
    const { api, world } = await worldOf([versioned('"1"', 'a')])
    world.faults.commit = true
    await failing(world.poll())
    world.faults.commit = false
    await world.poll()
    expect(api.asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, undefined])
    expect(world.ids()).toEqual(['a'])
  })

  it('the version of another request, or under other options, is not used', async () => {
    const { api, world } = await worldOf([versioned('"1"', 'a')])
    await world.poll()
    const other = createWorld({ url: api.url, id: '$.id', eventType: 'row.seen' })
    for (const [key, value] of world.state) other.state.set(key, value)
    await other.poll()
    expect(api.asked[1]!.headers['if-none-match']).toBeUndefined()
    expect(other.ids()).toEqual(['a'])
  })

  it('of several pages the version is not used: a later one may change alone', async () => {
    const api = await startApi(({ query }, number) => ({
      headers: { etag: '"1"' },
      body: {
        rows: rows(`${query['page'] ?? 1}-${query['page'] === undefined ? 0 : number}`),
        next: query['page'] === undefined ? '2' : null,
      },
    }))
    const world = createWorld({ url: api.url, items: '$.rows', id: '$.id', next: '$.next', pageParam: 'page' })
    await world.poll()
    await world.poll()
    expect(api.asked.map(({ headers }) => headers['if-none-match'])).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect(world.ids()).toEqual(['1-0', '2-2', '2-4'])
  })
})

describe('the interval', () => {
  it('is from the beginning of one poll to that of the next', async () => {
    const { world } = await worldOf([good], { every: '30s' })
    await world.poll()
    expect(world.sleepsMs()).toBe(30_000)
    await world.poll()
    expect(world.platform.clock.monotonic()).toBe(30_000)
  })

  it('may be a cron pattern in a time zone, and then begins with its first moment', async () => {
    const { api, world } = await worldOf([good], { cron: '30 2 * * *', timezone: 'Europe/Berlin' })
    await pollUntilAsked(world, api, 1)
    expect(new Date(world.platform.clock.now()).toISOString()).toBe('2026-01-01T01:30:00.000Z')
  })
})
