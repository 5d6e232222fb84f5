import { describe, expect, it } from 'vitest'
import { type Asked, createWorld, failing, type Reply, startApi } from './poll/world.test-support.ts'
import { poll } from './poll.ts'

const times = (count: number, from = 1) => Array.from({ length: count }, (_, n) => from + n)
const second = (n: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, n)).toISOString().replace('.000', '')

describe('the source poll', () => {
  it('asks with method, parameters and headers, and makes events of items by paths and expressions', async () => {
    const api = await startApi(() => ({
      body: {
        result: { rows: [{ key: 7, v: 2, kind: 'paid', at: 1_767_225_600, order: { no: 'A' }, sum: { total: 120 } }] },
        tenant: 'north',
      },
    }))
    const world = createWorld({
      url: `${api.url}?fixed=1`,
      headers: { authorization: 'Bearer key' },
      params: { type: 'order', limit: 5 },
      items: '$.result.rows',
      timeFormat: 'seconds',
      map: {
        id: 'string(item.key) + "@" + string(item.v)',
        type: '"order." + item.kind',
        subject: '$.order["no"]',
        time: '$.at',
        data: { total: '$.sum.total', tenant: 'body.tenant', none: '$.missing' },
        meta: { version: '$.v' },
      },
    })
    await world.poll()
    expect([...world.stored.values()]).toMatchObject([
      {
        id: '7@2',
        type: 'order.paid',
        subject: 'A',
        time: '2026-01-01T00:00:00.000Z',
        data: '{"total":120,"tenant":"north"}',
        meta: '{"version":2}',
      },
    ])
    const [asked] = api.asked
    expect(asked).toMatchObject({ method: 'GET', query: { fixed: '1', type: 'order', limit: '5' } })
    expect(asked!.headers).toMatchObject({ authorization: 'Bearer key', accept: 'application/json' })
  })

  // S1-12 S1-13
  it('leaves filtering to the API: every parameter is sent with each request, and since with the first ones', async () => {
    const reading = (id: number, domain: string, address: string, type: string, at: string) => ({
      id,
      domain,
      address,
      type,
      at,
    })
    const rows = [
      reading(1, 'home', 'boiler', 'temperature', '2026-01-01T00:00:00Z'),
      reading(2, 'work', 'boiler', 'temperature', '2026-01-01T00:00:00Z'),
      reading(3, 'home', 'attic', 'temperature', '2026-01-01T00:00:00Z'),
      reading(4, 'home', 'boiler', 'pressure', '2026-01-01T00:00:00Z'),
      reading(5, 'home', 'boiler', 'temperature', '2025-12-01T00:00:00Z'),
      reading(6, 'home', 'boiler', 'temperature', '2026-01-01T00:00:01Z'),
    ]
    const api = await startApi(({ query: { since = '', ...wanted } }) => ({
      body: rows.filter(
        (row) => row.at >= since && Object.entries(wanted).every(([name, value]) => row[name as 'domain'] === value),
      ),
    }))
    const filters = { domain: 'home', address: 'boiler', type: 'temperature' }
    const world = createWorld({ url: api.url, params: filters, since: '24h', id: '$.id', cursorField: '$.at' })
    await world.poll()
    await world.poll()
    expect(world.ids()).toEqual(['1', '6'])
    expect(api.asked.map(({ query }) => query)).toEqual([
      { ...filters, since: '2025-12-31T00:00:00Z' },
      ...api.asked.slice(1).map(() => ({ ...filters, since: expect.stringMatching(/^2026-01-01T00:00:0[01]Z$/) })),
    ])
  })

  // S1-61
  it('begins at the cursor it is given, goes on from the stored one, and asks since only when it has neither', async () => {
    let isEmpty = true
    const api = await startApi(() => ({ body: isEmpty ? { items: [] } : { items: [{ id: 1 }], next: 'c8' } }))
    const options = { url: api.url, items: '$.items', id: '$.id', cursor: '$.next', since: '1h' }
    const world = createWorld({ ...options, start: 'c7' })
    await world.poll()
    await world.crash()
    await world.poll()
    isEmpty = false
    await world.poll()
    await world.crash()
    await world.poll()
    expect(api.asked.map(({ query }) => query['cursor'] ?? query['since'])).toEqual(['c7', 'c7', 'c7', 'c8', 'c8'])
    expect(api.asked.every(({ query }) => query['since'] === undefined)).toBe(true)
    await createWorld(options).poll()
    expect(api.asked[5]!.query).toEqual({ since: '2025-12-31T23:00:00Z' })
  })

  it('refuses a cursor to begin at where there are no cursors', () => {
    const given = { url: 'https://api.example', start: 'c7' }
    expect(poll.declaration.options.safeParse(given).error?.issues).toMatchObject([
      { path: ['start'], message: 'it has no effect without cursor or cursorField' },
    ])
  })

  it('takes the configuration of the contract as it is written', async () => {
    const api = await startApi(({ query }) => ({
      body: query['cursor'] === 'c1' ? { items: [], next: 'c1' } : { items: [{ id: 1, kind: 'x' }], next: 'c1' },
    }))
    const world = createWorld({
      url: api.url,
      params: { type: 'order' },
      since: '24h',
      every: '30s',
      items: '$.items',
      id: '$.id',
      cursor: '$.next',
      map: { type: "'order.' + item.kind" },
    })
    await world.poll()
    expect(api.asked.map(({ query }) => query)).toEqual([
      { type: 'order', since: '2025-12-31T00:00:00Z' },
      { type: 'order', cursor: 'c1' },
    ])
    expect(world.ids()).toEqual(['1'])
    await world.poll()
    expect(api.asked[2]!.query).toEqual({ type: 'order', cursor: 'c1' })
    expect(world.platform.clock.monotonic()).toBe(30_000)
  })

  it('posts a body, and puts cursor and page token into it where that is wanted', async () => {
    const api = await startApi(({ body }) => {
      const { after } = (JSON.parse(body) as { variables: { after?: string } }).variables
      return {
        body: {
          data: { edges: after === undefined ? [{ id: 'a' }] : [{ id: 'b' }], end: after === undefined ? 'p2' : null },
        },
      }
    })
    const world = createWorld({
      url: api.url,
      method: 'POST',
      body: { query: '{ … }', variables: { first: 10 } },
      paramsIn: 'body',
      items: '$.data.edges',
      id: '$.id',
      next: '$.data.end',
      pageParam: 'variables.after',
    })
    await world.poll()
    expect(api.asked.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      { query: '{ … }', variables: { first: 10 } },
      { query: '{ … }', variables: { first: 10, after: 'p2' } },
    ])
    expect(api.asked[0]!.headers['content-type']).toBe('application/json')
    expect(world.ids()).toEqual(['a', 'b'])
  })

  // S0-12 S0-13
  it('gives an item without an id one that is the same each time, whatever the order of its members', async () => {
    const api = await startApi((_, number) => ({
      body: number === 1 ? [{ a: 1, b: [1, 2] }, { a: 2 }] : [{ a: 2.0 }, { b: [1, 2], a: 1 }, { a: 3 }],
    }))
    const world = createWorld({ url: api.url })
    await world.poll()
    await world.poll()
    expect(world.data()).toEqual([{ a: 1, b: [1, 2] }, { a: 2 }, { a: 3 }])
    expect(world.counts).toEqual({ stored: 3, duplicate: 2, conflict: 0 })
    expect([...world.stored.values()].map(({ type }) => type)).toEqual([
      'item.received',
      'item.received',
      'item.received',
    ])
  })

  it('makes an event of each change of an item when its id holds a version', async () => {
    const api = await startApi((_, number) => ({ body: [{ id: 1, v: number, total: number }] }))
    const world = createWorld({ url: api.url, id: 'string(item.id) + "@" + string(item.v)', subject: '$.id' })
    await world.poll()
    await world.poll()
    expect([...world.stored.values()].map(({ id, subject }) => [id, subject])).toEqual([
      ['1@1', '1'],
      ['1@2', '1'],
    ])
  })

  it('says once that a change under an old id is no event', async () => {
    const api = await startApi((_, number) => ({ body: [{ id: 1, total: number }] }))
    const world = createWorld({ url: api.url, id: '$.id' })
    for (const _ of times(3)) await world.poll()
    expect(world.counts).toEqual({ stored: 1, duplicate: 0, conflict: 2 })
    expect(world.logged).toEqual([expect.stringContaining('put a version into id')])
  })

  it('keeps numbers beyond 2^53 apart', async () => {
    const api = await startApi(() => ({ body: '[{"id":9007199254740993},{"id":9007199254740992},{"id":1.5}]' }))
    const world = createWorld({ url: api.url, id: '$.id' })
    await world.poll()
    expect(world.ids()).toEqual(['9007199254740993', '9007199254740992', '1.5'])
    expect(world.data()[0]).toEqual({ id: '9007199254740993' })
  })

  it('takes a document that is one item, an empty list, null and no content', async () => {
    const replies: Reply[] = [{ body: { temperature: 5 } }, { body: [] }, { body: 'null' }, { status: 204 }]
    const api = await startApi((_, number) => replies[number - 1]!)
    const world = createWorld({ url: api.url })
    for (const _ of replies) await world.poll()
    expect(world.data()).toEqual([{ temperature: 5 }])
  })
})

/** An API over rows, in order of time, that answers at most `limit` rows at or after `since`. */
function rowsApi(rows: { id: string; at: string }[], { limit = 1000, isExclusive = false } = {}) {
  return ({ query }: Asked): Reply => {
    const since = query['since'] ?? ''
    const sorted = rows.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    const later = sorted.filter(({ at }) =>
      isExclusive
        ? Date.parse(at) > Date.parse(since || '1970-01-01')
        : Date.parse(at) >= Date.parse(since || '1970-01-01'),
    )
    return { body: later.slice(0, limit) }
  }
}
const byTime = { id: '$.id', cursorField: '$.at', time: '$.at' }

describe('a cursor that is the largest of a field', () => {
  // S0-12
  it.each([
    ['at or after', false],
    ['only after', true],
  ])('loses no row of the same second, from an API that answers what is %s the cursor', async (_, isExclusive) => {
    const rows = [{ id: 'a', at: second(5) }]
    const api = await startApi(rowsApi(rows, { isExclusive }))
    const world = createWorld({ url: api.url, ...byTime })
    await world.poll()
    rows.push({ id: 'b', at: second(5) })
    await world.poll()
    expect(world.ids()).toEqual(['a', 'b'])
    expect(world.counts.conflict).toBe(0)
  })

  // S0-12 S3-21
  it('meets rows that come late again by the overlap, each with its own time', async () => {
    const rows = [{ id: 'a', at: second(300) }]
    const api = await startApi(rowsApi(rows))
    const world = createWorld({ url: api.url, ...byTime, overlap: '5m' })
    await world.poll()
    rows.push({ id: 'late', at: second(10) }, { id: 'b', at: second(310) })
    await world.poll()
    expect(world.ids()).toEqual(['a', 'late', 'b'])
    expect(world.stored.get('late')!.time).toBe(second(10))
    expect(api.asked.at(-2)!.query['since']).toBe(second(0))
  })

  it('reads on at once while pages lead further, exactly from where they end', async () => {
    const rows = times(7).map((n) => ({ id: `r${n}`, at: second(n) }))
    const api = await startApi(rowsApi(rows, { limit: 3 }))
    const world = createWorld({ url: api.url, ...byTime, since: '1h', cursorParam: 'since' })
    await world.poll()
    expect(world.ids()).toHaveLength(7)
    expect(api.asked.map(({ query }) => query['since'])).toEqual([
      '2025-12-31T23:00:00Z',
      second(3),
      second(5),
      second(7),
    ])
  })

  it('asks once for a page that is shorter than pageSize', async () => {
    const rows = times(3).map((n) => ({ id: `r${n}`, at: second(n) }))
    const api = await startApi(rowsApi(rows, { limit: 5 }))
    const world = createWorld({ url: api.url, ...byTime, pageSize: 5 })
    await world.poll()
    await world.poll()
    expect(api.asked).toHaveLength(2)
  })

  it.each([
    ['seconds', [99, 100, 9], '98'],
    ['milliseconds', [99_000, 100_000, 9_000], '99000'],
    ['rfc3339', ['2026-01-01T00:00:09.25Z', '2026-01-01T01:00:10+01:00'], '2026-01-01T00:00:09Z'],
  ] as const)('compares by size, not by letters, and asks with the overlap: %s', async (timeFormat, values, since) => {
    const api = await startApi(() => ({ body: values.map((at) => ({ at })) }))
    const world = createWorld({ url: api.url, cursorField: '$.at', timeFormat, pageSize: 10 })
    await world.poll()
    await world.poll()
    const expected = timeFormat === 'seconds' ? '99' : since
    expect(api.asked[1]!.query).toEqual({ since: expected })
  })

  it('compares whole numbers in text by size', async () => {
    const api = await startApi(() => ({ body: [{ n: '9' }, { n: '10' }] }))
    const world = createWorld({ url: api.url, cursorField: '$.n', cursorParam: 'after', pageSize: 10 })
    await world.poll()
    await world.poll()
    expect(api.asked[1]!.query).toEqual({ after: '10' })
  })

  it('says that a full page of one time cannot be passed, and that the newest come first', async () => {
    const same = times(9).map((n) => ({ id: `r${n}`, at: second(5) }))
    const stuck = await startApi(rowsApi(same, { limit: 3 }))
    const world = createWorld({ url: stuck.url, ...byTime, pageSize: 3 })
    expect(await failing(world.poll())).toMatch(/full page all have the same \$\.at/)
    const newest = times(3).map((n) => ({ id: `r${n}`, at: second(9 - n) }))
    const reversed = await startApi(() => ({ body: newest }))
    expect(await failing(createWorld({ url: reversed.url, ...byTime, pageSize: 3 }).poll())).toMatch(
      /newest items first/,
    )
  })

  it('says that there is no overlap where the cursor is no time', async () => {
    const api = await startApi(() => ({ body: [{ n: 7 }] }))
    const world = createWorld({ url: api.url, cursorField: '$.n', overlap: '5m', pageSize: 5 })
    await world.poll()
    expect(await failing(world.poll())).toMatch(/the cursor is not a time.*set timeFormat/)
  })
})

describe('pages', () => {
  const pages =
    (count: number) =>
    ({ query }: Asked): Reply => {
      const page = Number(query['token'] ?? 1)
      return {
        body: { rows: [{ id: `p${page}a` }, { id: `p${page}b` }], token: page < count ? String(page + 1) : undefined },
      }
    }
  const byToken = { items: '$.rows', id: '$.id', next: '$.token', pageParam: 'token' }

  it('are followed by their token, one commit each, within one poll', async () => {
    const api = await startApi(pages(3))
    const world = createWorld({ url: api.url, ...byToken })
    const sizes: number[] = []
    await world.poll({ onBatch: ({ events }) => void sizes.push(events.length) })
    expect(sizes).toEqual([2, 2, 2])
    expect(world.ids()).toHaveLength(6)
    await world.poll()
    expect(api.asked[3]!.query).toEqual({})
  })

  it('are followed by number, with an expression', async () => {
    const api = await startApi(({ query }) => ({
      body: times(Number(query['page'] ?? 1) < 3 ? 2 : 1).map((n) => ({ id: `${query['page'] ?? 1}-${n}` })),
    }))
    const world = createWorld({
      url: api.url,
      id: '$.id',
      next: 'count < 2 ? null : (page == null ? 2 : page + 1)',
      pageParam: 'page',
    })
    await world.poll()
    expect(api.asked.map(({ query }) => query['page'])).toEqual([undefined, '2', '3'])
    expect(world.ids()).toEqual(['1-1', '1-2', '2-1', '2-2', '3-1'])
  })

  it('are followed by the header Link and by a URL in the answer, on the same server only', async () => {
    const api = await startApi(({ path }) =>
      path === '/rows'
        ? {
            headers: { link: '</prev>; rel="prev", </rows/2?k=a,b>; title="x, y"; rel="last next"' },
            body: [{ id: 'a' }],
          }
        : { body: [{ id: 'b' }] },
    )
    const linked = createWorld({ url: api.url, id: '$.id', next: 'link' })
    await linked.poll()
    expect(linked.ids()).toEqual(['a', 'b'])
    expect(api.asked[1]).toMatchObject({ path: '/rows/2', query: { k: 'a,b' } })

    const away = await startApi(() => ({ body: { items: [{ id: 'a' }], next: 'http://127.0.0.1:9/steal' } }))
    const world = createWorld({
      url: away.url,
      headers: { authorization: 'key' },
      items: '$.items',
      id: '$.id',
      next: '$.next',
    })
    expect(await failing(world.poll())).toMatch(/another server, which is not followed/)
    expect(world.ids()).toEqual(['a'])
  })

  it('a reading that was cut off goes on with its page after a restart', async () => {
    const api = await startApi(pages(4))
    const world = createWorld({ url: api.url, ...byToken })
    await world.poll({ crashAfter: 2 })
    await world.poll()
    expect(api.asked.map(({ query }) => query['token'])).toEqual([undefined, '2', '3', '4'])
    expect(world.counts).toEqual({ stored: 8, duplicate: 0, conflict: 0 })
  })

  it('a page token that has become too old makes reading begin again', async () => {
    const api = await startApi((asked, number) => (number === 3 ? { status: 410 } : pages(3)(asked)))
    const world = createWorld({ url: api.url, ...byToken })
    await world.poll({ crashAfter: 2 })
    expect(await failing(world.poll())).toMatch(/status 410: the page token may be too old, so reading begins again/)
    await world.poll()
    expect(api.asked.map(({ query }) => query['token'])).toEqual([undefined, '2', '3', undefined, '2', '3'])
    expect(world.ids()).toHaveLength(6)
  })

  it('at most maxPages are read in one poll; the next one goes on from there', async () => {
    const api = await startApi(pages(5))
    const world = createWorld({ url: api.url, ...byToken, maxPages: 2 })
    await world.poll()
    expect(world.ids()).toHaveLength(4)
    await world.poll()
    await world.poll()
    expect(world.ids()).toHaveLength(10)
    expect(api.asked).toHaveLength(5)
  })

  it('tokens without an end do not keep a poll busy for ever', async () => {
    const api = await startApi((_, number) => ({ body: { rows: [], token: `t${number}` } }))
    const world = createWorld({ url: api.url, ...byToken, maxPages: 20 })
    await world.poll()
    expect(api.asked).toHaveLength(20)
  })

  it('tokens that go round in a circle fail the poll after what they held is stored', async () => {
    const api = await startApi(({ query }) => {
      const at = query['token'] ?? 'a'
      return { body: { rows: [{ id: at }], token: at === 'a' ? 'b' : at === 'b' ? 'c' : 'b' } }
    })
    const world = createWorld({ url: api.url, ...byToken })
    expect(await failing(world.poll())).toMatch(/page tokens go round in a circle/)
    expect(world.ids()).toEqual(['a', 'b', 'c'])
    expect(api.asked).toHaveLength(3)
  })

  it('a last page that names itself as the next one, empty, is the end', async () => {
    const api = await startApi(({ query }) => ({
      body: { rows: query['token'] === 'end' ? [] : [{ id: 'a' }], token: 'end' },
    }))
    const world = createWorld({ url: api.url, ...byToken })
    await world.poll()
    expect(world.ids()).toEqual(['a'])
  })

  it('pages that come twice store nothing twice', async () => {
    const api = await startApi(({ query }) => {
      const page = Number(query['token'] ?? 1)
      return { body: { rows: [{ id: `p${Math.ceil(page / 2)}` }], token: page < 6 ? String(page + 1) : null } }
    })
    const world = createWorld({ url: api.url, ...byToken })
    await world.poll()
    expect(world.counts).toEqual({ stored: 3, duplicate: 3, conflict: 0 })
  })

  it('the cursor moves only when the last page is stored', async () => {
    const api = await startApi(({ query }) => ({
      body: {
        rows: [{ id: `${query['token'] ?? 1}`, at: second(query['token'] === undefined ? 50 : 20) }],
        token: query['token'] === undefined ? '2' : null,
      },
    }))
    const world = createWorld({ url: api.url, ...byToken, cursorField: '$.at', overlap: '10s' })
    await world.poll({ crashAfter: 1 })
    expect(JSON.parse(world.cursor()!)).toMatchObject({ unfinished: { page: '2', high: second(50) } })
    expect(JSON.parse(world.cursor()!)).not.toHaveProperty('value')
    await world.poll()
    expect(JSON.parse(world.cursor()!)).toMatchObject({ value: second(50) })
    await world.poll()
    expect(api.asked.at(-2)!.query).toMatchObject({ since: second(40) })
  })
})

describe('a cursor of the answer', () => {
  it('is stored with each page, kept when the answer has none, and followed while there is more', async () => {
    const api = await startApi(({ query }) => {
      const at = Number(query['cursor'] ?? 0)
      return { body: { items: at < 3 ? [{ id: at }] : [], more: at < 3, pos: at < 3 ? at + 1 : null } }
    })
    const world = createWorld({ url: api.url, items: '$.items', id: '$.id', cursor: '$.pos', more: '$.more' })
    await world.poll()
    await world.poll()
    expect(api.asked.map(({ query }) => query['cursor'])).toEqual([undefined, '1', '2', '3', '3'])
    expect(world.ids()).toEqual(['0', '1', '2'])
  })

  it('may be a URL of the same server', async () => {
    const api = await startApi(({ query }) => ({
      body: { items: [{ id: query['delta'] ?? 'first' }], link: `http://${api.host}/rows?delta=d1` },
    }))
    const world = createWorld({ url: api.url, items: '$.items', id: '$.id', cursor: '$.link' })
    await world.poll()
    expect(api.asked.map(({ query }) => query)).toEqual([{}, { delta: 'd1' }])
  })

  it('that goes round in a circle fails the poll, which is bounded each time', async () => {
    const api = await startApi(({ query }) => ({
      body: { items: [{ id: query['cursor'] ?? '' }], pos: query['cursor'] === 'a' ? 'b' : 'a' },
    }))
    const world = createWorld({ url: api.url, items: '$.items', cursor: '$.pos' })
    expect(await failing(world.poll())).toMatch(/cursors go round in a circle/)
    expect(api.asked.length).toBeLessThan(5)
  })

  it('that is no text or number fails the poll', async () => {
    const api = await startApi(() => ({ body: { items: [], pos: { a: 1 } } }))
    const world = createWorld({ url: api.url, items: '$.items', cursor: '$.pos' })
    expect(await failing(world.poll())).toMatch(/the value at \$\.pos is neither a text nor a number/)
  })

  it('that another source left behind is no cursor', async () => {
    const api = await startApi(() => ({ body: [] }))
    const world = createWorld({ url: api.url, cursor: '$.pos' })
    world.setCursor('2026-01-01')
    await world.poll()
    expect(api.asked[0]!.query).toEqual({})
    expect(world.logged).toEqual([expect.stringContaining('not one of poll')])
  })
})

it('a commit that fails is no loss: the page is read again, after a pause', async () => {
  // S0-66
  const rows = times(3).map((n) => ({ id: `r${n}`, at: second(n) }))
  const api = await startApi(rowsApi(rows))
  const world = createWorld({ url: api.url, ...byTime, pageSize: 9 })
  world.faults.commit = true
  expect(await failing(world.poll())).toBe('the disk is full')
  expect(world.cursor()).toBeUndefined()
  world.faults.commit = false
  await world.poll()
  expect(world.platform.clock.monotonic()).toBeGreaterThanOrEqual(4000)
  expect(world.ids()).toEqual(['r1', 'r2', 'r3'])
})

describe('the configuration', () => {
  const url = 'https://api.example.com/rows'
  it.each([
    [{ url: 'ftp://x' }, 'url', /begins with https/],
    [{ url: 'https://user:secret@x/' }, 'url', /put them into headers/],
    [{ url, every: 30 }, 'every', /30 has no unit/],
    [{ url, every: '5s', cron: '* * * * *' }, 'cron', /exclude each other/],
    [{ url, cron: 'x' }, 'cron', /not a cron pattern/],
    [{ url, cron: '* * * * *', timezone: 'X' }, 'timezone', /not a time zone/],
    [{ url, body: {} }, 'body', /needs method: POST/],
    [{ url, paramsIn: 'body' }, 'paramsIn', /need method: POST/],
    [{ url, id: '$.id', map: { id: '$.key' } }, 'id', /mean the same/],
    [{ url, eventType: 'a.b', map: { type: '$.t' } }, 'eventType', /exclude each other/],
    [{ url, cursor: '$.a', cursorField: '$.b' }, 'cursorField', /exclude each other/],
    [{ url, overlap: '5m' }, 'overlap', /no effect without/],
    [{ url, cursorParam: 'x' }, 'cursorParam', /no effect without/],
    [{ url, pageParam: 'x' }, 'pageParam', /no effect without/],
    [{ url, next: 'link', pageParam: 'x' }, 'pageParam', /holds a URL/],
    [{ url, pageSize: 5 }, 'pageSize', /only with cursorField/],
    [{ url, headers: { host: 'x' } }, 'headers', /set by Millrace/],
    [{ url, headers: { a: 'x\r\ny' } }, 'headers', /cannot carry/],
    [{ url, items: '$..x' }, 'items', /not a path/],
    [{ url, eventType: 'a b' }, 'eventType', /letters/],
  ])('%j is a problem', (given, path, message) => {
    const { error } = poll.declaration.options.safeParse(given)
    const [issue] = error!.issues
    expect(issue!.path[0]).toBe(path)
    expect(issue!.message).toMatch(message)
    expect(JSON.stringify(error!.issues)).not.toContain('secret')
  })

  it('tells who writes a type into map.type where it belongs', () => {
    const { error } = poll.declaration.options.safeParse({ url, map: { type: 'order.changed' } })
    expect(error!.issues[0]!.message).toMatch(/Unknown variable: order.*goes into eventType/)
  })
})
