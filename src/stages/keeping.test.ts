import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Event, type EventInput, type Json } from '../core/event.ts'
import { createPipeline } from '../pipeline.ts'
import type { PipelineConfig } from '../plugin/pipeline-config.ts'
import { memory } from '../stores/memory.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { stageInputOf } from '../testing/stage-cases.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../testing/virtual-platform.ts'
import { aggregate } from './aggregate.ts'
import { dedupe } from './dedupe.ts'
import { latest } from './latest.ts'
import { reorder } from './reorder.ts'
import { opened } from './stages.test-support.ts'

type Stages = NonNullable<NonNullable<PipelineConfig['subscriptions']>[string]['stages']>

async function world(stages: Stages, derived = 'nothing.derived') {
  const platform = createVirtualPlatform()
  const through = recordingSink()
  const made = recordingSink()
  const pipeline = createPipeline(
    {
      store: memory(),
      subscriptions: {
        work: { match: ['in.*'], stages, sink: through },
        made: { match: [derived], sink: made },
      },
    },
    { platform },
  )
  await pipeline.start()
  let n = 0
  const send = async (data: object, more: Partial<EventInput> = {}): Promise<void> => {
    n += 1
    await pipeline.publish({ source: 's', id: String(n), type: 'in.put', subject: 'a', data, ...more })
    await platform.advance(1)
  }
  return {
    platform,
    pipeline,
    send,
    through: () => through.received.map(({ event }) => event.data as Record<string, unknown>),
    made: () => made.received.map(({ event }) => event.data as Record<string, unknown>),
    books: async () => (await pipeline.audit()).subscriptions.find(({ name }) => name === 'work')!.books,
    problems: async () => (await pipeline.audit()).problems,
  }
}

const minute = 60_000

describe('dedupe', () => {
  test('lets the first of a key through until its time is over, and discards the others with the reason', async () => {
    const { send, through, platform, pipeline } = await world([dedupe({ by: 'data.order', within: '1h' })])
    for (const order of [1, 1, 2, 1]) await send({ order })
    await platform.advance(100)
    expect(through()).toEqual([{ order: 1 }, { order: 2 }])
    expect((await pipeline.explain(2, 'work')).deliveries[0]).toMatchObject({
      state: 'discarded',
      reason: 'one with this key came before',
    })
    await platform.advance(61 * minute)
    expect(await pipeline.store.kept('work', { stage: 'dedupe', limit: 10 })).toEqual([])
    await send({ order: 1 })
    await platform.advance(100)
    expect(through().length).toBe(3)
  })

  test('an event without a key is a dead letter that says so', async () => {
    const { send, pipeline, platform } = await world([dedupe({ by: 'data.order', within: '1h' })])
    await send({})
    await platform.advance(100)
    expect(await pipeline.subscription('work')).toMatchObject({ counters: { dead: 1 } })
  })
})

// S3-21
describe('latest', () => {
  test('what is not newer than the last of its key is discarded', async () => {
    const { send, through, platform } = await world([latest({ version: 'data.v' })])
    for (const v of [1, 3, 2, 3, 4]) await send({ v })
    await send({ v: 1 }, { subject: 'b' })
    await platform.advance(100)
    expect(through()).toEqual([{ v: 1 }, { v: 3 }, { v: 4 }, { v: 1 }])
  })

  test('by the time of the event where no version is named', async () => {
    const { send, through, platform } = await world([latest()])
    for (const time of ['2026-01-01T10:00:00Z', '2026-01-01T09:00:00Z', '2026-01-01T11:00:00+00:00'])
      await send({ time }, { time })
    await platform.advance(100)
    expect(through().map(({ time }) => time)).toEqual(['2026-01-01T10:00:00Z', '2026-01-01T11:00:00+00:00'])
  })

  test('by time, the later of two with the same time is not older', async () => {
    const { send, through, platform } = await world([latest()])
    const at = (time: string) => send({ time }, { time: `2026-01-01T10:00:00${time}Z` })
    for (const time of ['.0002', '.0002', '.0001', '.0003', '.000']) await at(time)
    await platform.advance(100)
    expect(through().map(({ time }) => time)).toEqual(['.0002', '.0002', '.0003'])
  })
})

// S3-21
describe('reorder', () => {
  test.each(['key', 'strict'] as const)(
    'is refused beside ordering %s, which would keep from it what it waits for',
    async (ordering) => {
      const stages = [reorder({ sequence: 'data.n', wait: '10s' })]
      const config = { store: memory(), subscriptions: { work: { ordering, stages } } }
      expect(() => createPipeline(config)).toThrow(
        'work.ordering: the stage reorder cannot work beside it: what waits here',
      )
    },
  )

  test('by sequence, what comes early waits for what is missing, and late ones are discarded', async () => {
    const { send, through, platform, problems } = await world([reorder({ sequence: 'data.n', wait: '10s' })])
    for (const n of [3, 1, 2, 4, 2]) await send({ n })
    await platform.advance(5000)
    expect(through().map(({ n }) => n)).toEqual([1, 2, 3, 4])
    expect(await problems()).toEqual([])
  })

  test('a gap is given up after the wait, and what comes then is late', async () => {
    const { send, through, platform } = await world([reorder({ sequence: 'data.n', wait: '10s', late: 'pass' })])
    for (const n of [1, 3]) await send({ n })
    await platform.advance(9000)
    expect(through().map(({ n }) => n)).toEqual([1])
    await platform.advance(2000)
    expect(through().map(({ n }) => n)).toEqual([1, 3])
    await send({ n: 2 })
    await platform.advance(100)
    expect(through().map(({ n }) => n)).toEqual([1, 3, 2])
  })

  test('a gap is given up only up to the first that is there: what came in time is not late', async () => {
    const { send, through, platform, problems } = await world([reorder({ sequence: 'data.n', wait: '10s' })])
    for (const n of [1, 5, 4]) await send({ n })
    await platform.advance(5000)
    await send({ n: 3 })
    await platform.advance(6000)
    expect(through().map(({ n }) => n)).toEqual([1, 3, 4, 5])
    expect(await problems()).toEqual([])
  })

  test('events that came in time go in order when their waits end together, and some are there twice', async () => {
    const { through, platform, problems, pipeline } = await world([reorder({ sequence: 'data.n', wait: '10s' })])
    const events = [8, 8, 7, 3, 3, 2, 2].map((n, id) => ({
      ...{ source: 's', id: `${id}` },
      type: 'in.put',
      data: { n },
    }))
    await pipeline.publish(events.map((event) => ({ ...event, subject: 'a' })))
    await platform.advance(20_000)
    expect(through().map(({ n }) => n)).toEqual([2, 3, 7, 8])
    expect(await problems()).toEqual([])
  })

  test('what was called and is gone holds nobody up', async () => {
    const stage = await opened(reorder, { sequence: 'data.n', wait: '10s' })
    const look = (n: number, sequence: number, now: number, kept?: number) => {
      const record = { source: 's', id: `${n}`, type: 'in.put', subject: 'a', data: `{"n":${n}}` }
      const event = new Event(Object.freeze({ ...record, sequence, appendedAt: 0 }))
      return stage.process({ ...stageInputOf(), event, now, kept })
    }
    look(5, 1, 0)
    look(3, 2, 0)
    expect(look(5, 1, 10_000)).toMatchObject({ outcome: 'retry', keep: { value: 3 } })
    expect(look(5, 1, 10_500, 3)).toMatchObject({ outcome: 'retry' })
    expect(look(5, 1, 11_000, 3)).toMatchObject({ outcome: 'ack', keep: { value: 6 } })
  })

  test.each([
    ['sequence', { sequence: 'data.n', wait: '10s' }],
    ['time', { wait: '10s' }],
  ])('by %s, a subscription that was paused for long orders what came meanwhile', async (_, options) => {
    const { send, through, platform, pipeline } = await world([reorder(options)])
    await platform.advance(5000)
    await pipeline.pause('work')
    for (const n of [3, 1, 2]) await send({ n }, { time: `2026-01-01T00:00:0${n}Z` })
    await platform.advance(minute)
    await pipeline.resume('work')
    await platform.advance(minute)
    expect(through().map(({ n }) => n)).toEqual([1, 2, 3])
  })

  test('by time, events go in the order of their times after the wait', async () => {
    const { send, through, platform } = await world([reorder({ wait: '10s' })])
    const at = (seconds: number) => `2026-01-01T00:00:0${seconds}Z`
    await platform.advance(5000)
    for (const seconds of [2, 0, 1]) await send({ seconds }, { time: at(seconds) })
    await platform.advance(30_000)
    expect(through().map(({ seconds }) => seconds)).toEqual([0, 1, 2])
  })
})

describe('aggregate', () => {
  const every = (more: object = {}) =>
    aggregate({ by: 'data.device', value: 'data.c', every: '1m', eventType: 'device.minute', ...more })

  test('makes one event of a window for each key, and absorbs what it counted', async () => {
    const { send, through, made, platform, books } = await world([every()], 'device.minute')
    for (const [device, c] of [
      ['x', 20],
      ['y', 5],
      ['x', 24],
    ] as const)
      await send({ device, c })
    await platform.advance(2 * minute)
    expect(through()).toEqual([])
    expect(made()).toEqual([
      {
        key: 'x',
        count: 2,
        sum: 44,
        min: 20,
        max: 24,
        last: 24,
        average: 22,
        from: '2026-01-01T00:00:00.000Z',
        until: '2026-01-01T00:01:00.000Z',
      },
      expect.objectContaining({ key: 'y', count: 1, sum: 5 }),
    ])
    expect(await books()).toMatchObject({ discarded: 3, open: 0 })
  })

  test('by number, and the events go on where they shall', async () => {
    const options = { by: 'event.subject', count: 3, eventType: 'three.done', pass: true }
    const { send, through, made, platform } = await world([aggregate(options)], 'three.done')
    for (let n = 0; n < 7; n++) await send({ n })
    await platform.advance(100)
    expect(through().length).toBe(7)
    expect(made().map(({ count }) => count)).toEqual([3, 3])
  })

  test('a type that no event can have is a problem of the configuration', () => {
    for (const eventType of ['device minute', 'device.*', 'millrace.minute', ''])
      expect(aggregate.declaration.options.safeParse({ every: '1m', eventType }).success).toBe(false)
  })

  test('one that would never derive anything is refused', () => {
    expect(() =>
      createPipeline({
        store: memory(),
        subscriptions: { s: { stages: [aggregate({ eventType: 'x.y' })] } },
      }),
    ).toThrow(/needs every/)
  })

  test('goes on with a new window when the clock was set back, and stays in its window when it was a moment', async () => {
    const stage = await opened(aggregate, { by: 'event.source', every: '1m', eventType: 'a.b' })
    const at = (now: number, kept?: unknown) => stage.process({ ...stageInputOf(), now, kept: kept as Json })
    const begun = { from: 10 * minute, count: 2, sum: 0, min: null, max: null, last: null }
    expect(at(10 * minute - 5, begun)).toMatchObject({ derive: [], keep: { value: { from: 10 * minute, count: 3 } } })
    expect(at(11 * minute, begun)).toMatchObject({ derive: [{ data: { count: 2 } }], keep: { dueAt: 12 * minute } })
    expect(at(5 * minute, begun)).toMatchObject({
      derive: [{ data: { count: 2 } }],
      keep: { value: { from: 5 * minute, count: 1 }, dueAt: 6 * minute },
    })
  })

  test('an event that would make the sum infinite is rejected, and those before it still count', async () => {
    const stage = await opened(aggregate, { by: 'event.source', value: 'data.v', every: '1m', eventType: 'a.b' })
    const kept = { from: 0, count: 1, sum: 1.7e308, min: 1, max: 1.7e308, last: 1.7e308 }
    const answer = stage.process({ ...stageInputOf({ data: '{"v":1e308}' }), now: 5, kept })
    expect(answer).toEqual({ outcome: 'reject', reason: 'the sum would be larger than a number can be' })
  })

  // G9 K5 K6
  test('over restarts at any moment every event counts exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.constant('restart' as const), fc.integer({ min: 0, max: 20_000 })), { maxLength: 30 }),
        async (steps) => {
          const platform = createVirtualPlatform()
          const store = await memory().declaration.open({}, { directory: '.', platform })
          const made = recordingSink()
          const lasting = new Proxy(store, {
            get: (target, name) =>
              name === 'close'
                ? async () => undefined
                : typeof Reflect.get(target, name) === 'function'
                  ? (Reflect.get(target, name) as () => unknown).bind(target)
                  : Reflect.get(target, name),
          })
          const use = memory()
          const start = async (at: VirtualPlatform) => {
            const pipeline = createPipeline(
              {
                store: { ...use, declaration: { ...use.declaration, open: async () => lasting } },
                subscriptions: {
                  work: { match: ['in.*'], start: 'beginning', stages: [every()] },
                  made: { match: ['device.minute'], start: 'beginning', sink: made },
                },
              },
              { platform: at },
            )
            await pipeline.start()
            return pipeline
          }
          let pipeline = await start(platform)
          let sent = 0
          for (const step of steps) {
            if (step === 'restart') {
              const stopping = pipeline.stop()
              await platform.advance(50)
              await stopping
              pipeline = await start(platform)
              continue
            }
            sent += 1
            const data = { device: `d${step % 3}`, c: 1 }
            await pipeline.publish({ source: 's', id: String(sent), type: 'in.put', data })
            await platform.advance(step)
          }
          await platform.advance(3 * minute)
          const counted = made.received.reduce((sum, { event }) => sum + (event.data as { count: number }).count, 0)
          expect(counted).toBe(sent)
          expect(new Set(made.received.map(({ event }) => event.id)).size).toBe(made.received.length)
          const stopping = pipeline.stop()
          await platform.advance(50)
          await stopping
        },
      ),
      { numRuns: 30 },
    )
  })
})
