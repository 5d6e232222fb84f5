import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openPipeline, type Pipeline, type PipelineConfig } from 'millrace'
import { defineSink, defineSource, type SourceContext, schema } from 'millrace/plugin'
import { memory } from 'millrace/stores/memory'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-flow-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const store = () => sqlite({ path: join(folder, 'events.db') })
const order = (id: string, more: object = {}) => ({
  source: 'shop',
  id,
  type: 'order.placed',
  subject: 'o1',
  data: { id },
  ...more,
})

/** A source in code: `read` as given. */
const sourceOf = (
  read: (
    cursor: string | undefined,
    context: SourceContext,
  ) => AsyncIterable<{ events: { id: string; type: string; data?: unknown }[]; cursor?: string }>,
) =>
  defineSource({
    name: 'given',
    summary: 'Yields what it is given.',
    options: schema.strictObject({}),
    example: {},
    create: () => ({ read }),
  })()

async function run<T>(config: PipelineConfig, check: (pipeline: Pipeline) => Promise<T>): Promise<T> {
  const pipeline = await openPipeline(config)
  try {
    return await check(pipeline)
  } finally {
    await pipeline.stop({ deadline: '500ms' })
  }
}

test('ingestion, transport, processing and egress are separate parts, and one event takes several paths', async () => {
  // S3-01 S3-02 S3-11 S3-12
  const all = recordingSink()
  const orders = recordingSink()
  const source = sourceOf(async function* () {
    yield {
      events: [
        { id: '1', type: 'order.placed', data: { total: 7 } },
        { id: '2', type: 'stock.low' },
      ],
      cursor: 'end',
    }
  })
  await run(
    {
      store: store(),
      sources: { feed: source },
      subscriptions: { all: { sink: all }, orders: { match: ['order.*'], sink: orders } },
    },
    async (pipeline) => {
      await vi.waitFor(() => expect(all.received).toHaveLength(2))
      await pipeline.idle()
      expect(orders.received.map(({ event }) => event.id)).toEqual(['1'])
      expect(orders.received[0]!.event).toMatchObject({ source: 'feed', data: { total: 7 }, meta: {} }) // S3-07
    },
  )
})

test('the same id from two sources is two events; a batch written twice stores nothing new', async () => {
  // S0-11 S0-10 S3-09
  const sink = recordingSink()
  await run({ store: store(), subscriptions: { s: { sink } } }, async (pipeline) => {
    const batch = [order('1'), order('1', { source: 'other' })]
    expect((await pipeline.publish(batch)).map(({ status }) => status)).toEqual(['stored', 'stored'])
    expect((await pipeline.publish(batch)).map(({ status }) => status)).toEqual(['duplicate', 'duplicate'])
    await pipeline.idle()
    expect(sink.received).toHaveLength(2)
  })
})

test('windows of an API that overlap give no duplicates, over restarts too', async () => {
  // S0-12 S0-13
  const sink = recordingSink()
  const overlapping = sourceOf(async function* (cursor) {
    const from = Math.max(0, Number(cursor ?? 0) - 5)
    for (let at = from; at < from + 30; at += 10) {
      const events = Array.from({ length: 15 }, (_, i) => ({ id: `n${at + i}`, type: 'row.changed' }))
      yield { events, cursor: String(at + 15) }
    }
  })
  const config = { store: store(), sources: { api: overlapping }, subscriptions: { s: { sink } } }
  await run(config, async (pipeline) => {
    await vi.waitFor(() => expect(pipeline.stats().sources['api']!.state).toBe('ended'))
    await pipeline.idle()
  })
  await run(config, async (pipeline) => {
    await vi.waitFor(() => expect(pipeline.stats().sources['api']!.state).toBe('ended'))
    await pipeline.idle()
  })
  const ids = sink.received.map(({ event }) => event.id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toHaveLength(65)
})

test('delivery state is per subscription, in tables of its own, and one failing changes nothing for another', async () => {
  // S0-18 S0-19 S0-78
  const good = recordingSink()
  const bad = recordingSink({
    outcomes: ({ event }) => (event.id === '1' ? { outcome: 'reject', reason: 'no' } : { outcome: 'ack' }),
  })
  await run(
    { store: store(), subscriptions: { good: { sink: good }, bad: { sink: bad, concurrency: 1 } } },
    async (pipeline) => {
      await pipeline.publish([order('1'), order('2'), order('3')])
      await pipeline.idle()
      expect((await pipeline.subscription('good')).counters).toMatchObject({ delivered: 3, dead: 0 })
      expect((await pipeline.subscription('bad')).counters).toMatchObject({ delivered: 2, dead: 1 })
      expect(bad.received.map(({ event }) => event.id)).toEqual(['1', '2', '3'])
    },
  )
  const database = new DatabaseSync(join(folder, 'events.db'), { readOnly: true })
  const tables = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => name)
  expect(tables).toEqual(expect.arrayContaining(['events', 'ledgers', 'deliveries', 'dead', 'history']))
  const columns = database
    .prepare('SELECT name FROM pragma_table_info(?)')
    .all('events')
    .map(({ name }) => name)
  expect(columns.filter((name) => /deliver|tries|attempt|state/.test(String(name)))).toEqual([])
  database.close()
})

test('the signal to deliver carries nothing: a lost one delays, and the next one delivers everything', async () => {
  // S0-07 S0-20
  const sink = recordingSink()
  await run({ store: store(), subscriptions: { s: { sink } } }, async (pipeline) => {
    // Straight into the store: nobody signals dispatch.
    await pipeline.store.commit([{ events: [{ source: 'a', id: '1', type: 'x.y' }] }])
    expect(sink.received).toHaveLength(0)
    await pipeline.publish(order('2'))
    await pipeline.idle()
    expect(sink.received.map(({ event }) => event.id)).toEqual(['1', '2'])
  })
})

test('an attempt follows the commit at once, without a poll', async () => {
  // S3-03
  const attempted: number[] = []
  const sink = recordingSink({
    outcomes: () => {
      attempted.push(performance.now())
      return { outcome: 'ack' }
    },
  })
  await run({ store: memory(), subscriptions: { s: { sink } } }, async (pipeline) => {
    const waits: number[] = []
    for (let i = 0; i < 50; i++) {
      await pipeline.publish(order(String(i)))
      const acknowledged = performance.now()
      await vi.waitFor(() => expect(attempted).toHaveLength(i + 1), { interval: 1 })
      waits.push(attempted[i]! - acknowledged)
    }
    expect(waits.sort((a, b) => a - b)[25]!).toBeLessThan(20)
  })
})

test('a producer’s answer does not depend on consumers: none, slow or broken', async () => {
  // S3-04 S3-05
  const broken = defineSink({
    name: 'broken',
    summary: 'Throws.',
    delivers: 'Nothing.',
    options: schema.strictObject({}),
    example: {},
    create: () => ({
      deliver: () => {
        throw new Error('always')
      },
    }),
  })
  const stuck = defineSink({
    name: 'stuck',
    summary: 'Waits.',
    delivers: 'Nothing.',
    options: schema.strictObject({}),
    example: {},
    create: () => ({
      deliver: (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    }),
  })
  const answers: unknown[] = []
  for (const subscriptions of [
    {},
    { broken: { sink: broken() } },
    { stuck: { sink: stuck() }, broken: { sink: broken() } },
  ]) {
    await run({ store: memory(), subscriptions }, async (pipeline) => {
      const { status, sequence, durability } = await pipeline.publish(order('1'))
      answers.push({ status, sequence, durability })
    })
  }
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
})

test('once failures are cured every sink reaches the final state', async () => {
  // S3-06
  let isIll = true
  const sink = recordingSink({ outcomes: () => (isIll ? { outcome: 'retry', reason: 'ill' } : { outcome: 'ack' }) })
  await run(
    { store: store(), subscriptions: { s: { sink, retry: { attempts: 'unlimited', delays: ['10ms'] } } } },
    async (pipeline) => {
      await pipeline.publish(Array.from({ length: 40 }, (_, i) => order(String(i), { subject: `o${i % 4}` })))
      await vi.waitFor(async () => expect((await pipeline.subscription('s')).counters.retries).toBeGreaterThan(40))
      isIll = false
      await vi.waitFor(async () => expect((await pipeline.subscription('s')).counters.delivered).toBe(40), {
        timeout: 5000,
      })
      expect((await pipeline.audit()).ok).toBe(true)
    },
  )
})

test('a source is asked for more only when its last batch is stored, and memory holds a bounded window', async () => {
  // S3-10 S0-82
  let asked = 0
  const endless = sourceOf(async function* () {
    for (;;) {
      asked += 1
      yield {
        events: Array.from({ length: 100 }, (_, i) => ({ id: `${asked}-${i}`, type: 'a.b' })),
        cursor: String(asked),
      }
    }
  })
  let active = 0
  const stuck = defineSink({
    name: 'stuck',
    summary: 'Waits.',
    delivers: 'Nothing.',
    options: schema.strictObject({}),
    example: {},
    create: () => ({
      deliver: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          active += 1
          signal.addEventListener('abort', () => reject(new Error('aborted')))
        }),
    }),
  })
  await run(
    {
      store: store(),
      sources: { endless },
      subscriptions: { s: { sink: stuck(), concurrency: 4, window: 32, timeout: '1h' } },
    },
    async (pipeline) => {
      await vi.waitFor(() => expect(pipeline.stats().head).toBeGreaterThan(1000), { timeout: 10_000 })
      const status = pipeline.stats().subscriptions['s']!
      expect(Math.abs(asked * 100 - pipeline.stats().head)).toBeLessThanOrEqual(100)
      expect([status.open, active]).toEqual([32, 4])
      expect(status.lag).toBeGreaterThan(900)
      await pipeline.stop({ deadline: '100ms' })
    },
  )
})

test('a source has a private, lasting key and value space beside its cursor', async () => {
  // S0-65
  const seen: unknown[] = []
  const remembering = sourceOf(async function* (cursor, { state }) {
    seen.push([cursor, await state.get('token'), (await state.list('to')).map(({ key }) => key)])
    await state.set('token', 'abc')
    await state.set('tone', 'x')
    await state.delete('tone')
    yield { events: [], cursor: 'c1' }
  })
  const config = { store: store(), sources: { one: remembering, two: remembering } }
  for (let i = 0; i < 2; i++)
    await run(config, async (pipeline) => {
      await vi.waitFor(() =>
        expect(Object.values(pipeline.stats().sources).every(({ state }) => state === 'ended')).toBe(true),
      )
    })
  expect(seen.slice(0, 2)).toEqual([
    [undefined, undefined, []],
    [undefined, undefined, []],
  ])
  expect(seen.slice(2)).toEqual([
    ['c1', 'abc', ['token']],
    ['c1', 'abc', ['token']],
  ])
})

test('both stores are chosen by name, durability is a choice, and the answer says which', async () => {
  // S1-35 S1-41 S1-42
  const { builtInCatalogue: catalogue } = await import('../../src/registry.ts')
  const levels: string[] = []
  for (const named of [
    { type: 'memory' },
    { type: 'sqlite', path: join(folder, 'a.db') },
    { type: 'sqlite', path: join(folder, 'b.db'), durability: 'process' },
  ]) {
    const pipeline = await openPipeline({ store: named }, { catalogue })
    levels.push((await pipeline.publish(order('1'))).durability)
    await pipeline.stop()
  }
  expect(levels).toEqual(['memory', 'disk', 'process'])
})

test('many workers write at once and the ledger stays right', async () => {
  // S1-40
  const names = ['a', 'b', 'c', 'd']
  const stages = [
    {
      kind: 'function-stage' as const,
      name: 'work',
      process: async () => {
        await new Promise((resolve) => setImmediate(resolve))
      },
      settings: { concurrency: 25 },
    },
  ]
  const subscriptions = Object.fromEntries(
    names.map((name) => [name, { stages, sink: recordingSink(), concurrency: 25 }]),
  )
  await run({ store: store(), subscriptions }, async (pipeline) => {
    await pipeline.publish(Array.from({ length: 250 }, (_, i) => order(String(i))))
    await vi.waitFor(
      () => expect(names.every((name) => pipeline.stats().subscriptions[name]!.counters.delivered === 250)).toBe(true),
      { timeout: 20_000 },
    )
    expect((await pipeline.audit()).subscriptions.map(({ problems }) => problems)).toEqual([[], [], [], []])
  })
})

// S3-17
test('consumers come, go and fail each by itself, and one that knows less of an event takes it all the same', async () => {
  const placed = (id: string) => ({
    ...order(id),
    data: { total: 120, addedLater: { deep: [1] } },
    meta: { newextension: 'x', 'not for CloudEvents': { a: 1 } },
  })
  /** A consumer of the first day: it reads one field. */
  const totals: number[] = []
  const old = recordingSink({
    outcomes: ({ event }) => {
      totals.push((event.data as { total: number }).total)
      return { outcome: 'ack' }
    },
  })
  const late = recordingSink()
  const away = recordingSink({ outcomes: () => Promise.reject(new Error('its service is away')) })

  await run(
    { store: store(), subscriptions: { old: { sink: old }, late: { sink: recordingSink() } } },
    async () => undefined,
  )
  // A deployment without `late`.
  await run({ store: store(), subscriptions: { old: { sink: old } } }, async (pipeline) => {
    expect((await pipeline.publish(placed('1'))).status).toBe('stored')
    await vi.waitFor(() => expect(totals).toEqual([120]))
  })
  // One with it, and with a new consumer whose service is not there.
  const subscriptions: PipelineConfig['subscriptions'] = {
    old: { sink: old },
    late: { sink: late },
    new: { sink: away, retry: { attempts: 'unlimited', delays: ['10ms'] } },
  }
  await run({ store: store(), subscriptions }, async (pipeline) => {
    await pipeline.publish(placed('2'))
    await vi.waitFor(() => expect([totals.length, late.received.length]).toEqual([2, 2]))
    const { data, meta } = placed('1')
    expect(late.received[0]!.event).toMatchObject({ id: '1', data, meta })
    expect(await pipeline.subscription('new')).toMatchObject({ open: 1, counters: { delivered: 0 } })
  })
})
