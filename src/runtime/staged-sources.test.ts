import { describe, expect, onTestFinished, test } from 'vitest'
import { openPipeline } from '../pipeline.ts'
import type { PipelineConfig } from '../plugin/pipeline-config.ts'
import { stage } from '../plugin/stage-function.ts'
import { memory } from '../stores/memory.ts'
import { testPipeline } from '../testing/kit/test-pipeline.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { scriptedSource } from '../testing/scripted-source.ts'

const reading = (id: string, type = 'reading.taken', celsius = 20) => ({ id, type, data: { celsius } })

async function opened(config: Omit<PipelineConfig, 'store'>) {
  const pipeline = await testPipeline({ store: memory(), ...config })
  onTestFinished(() => pipeline[Symbol.asyncDispose]())
  return pipeline
}

// S1-08
test('a pipeline is opened with its settings, runs from then on, and is closed: its source, its sink and its store', async () => {
  const source = scriptedSource({ batches: [{ events: [reading('1')] }] })
  const sink = recordingSink()
  const pipeline = await openPipeline({ store: memory(), sources: { feed: source }, subscriptions: { all: { sink } } })
  while (sink.received.length === 0) await pipeline.idle()
  expect([sink.life.opened, sink.life.closed, source.life.closed]).toEqual([1, 0, 0])
  await pipeline.stop()
  expect([sink.life.closed, source.life.closed]).toEqual([1, 1])
  await expect(pipeline.publish({ source: 's', id: '1', type: 'a.b' })).rejects.toMatchObject({ code: 'stopping' })
})

describe('several sources', () => {
  // S1-14
  test('have events, cursors and an order of their own', async () => {
    const [home, work] = [scriptedSource(), scriptedSource()]
    const sink = recordingSink()
    const pipeline = await opened({ sources: { home, work }, subscriptions: { all: { sink, ordering: 'strict' } } })
    home.push({ events: [reading('1'), reading('2')], cursor: 'h2' })
    work.push({ events: [reading('1'), reading('9')], cursor: 'w9' })
    home.push({ events: [reading('3'), reading('1')], cursor: 'h3' })
    await pipeline.idle()
    const idsOf = (name: string) =>
      sink.received.map(({ event }) => event).flatMap(({ source, id }) => (source === name ? [id] : []))
    expect([idsOf('home'), idsOf('work')]).toEqual([
      ['1', '2', '3'],
      ['1', '9'],
    ])
    expect(await Promise.all(['home', 'work'].map((name) => pipeline.store.cursor(name)))).toEqual(['h3', 'w9'])
    await pipeline.restart()
    expect([home.reads, work.reads]).toEqual([
      [undefined, 'h3'],
      [undefined, 'w9'],
    ])
  })

  // S1-69
  test('end and fail each for itself', async () => {
    const ends = scriptedSource({ batches: [{ events: [reading('1')] }], ends: true })
    const fails = scriptedSource({ batches: [{ events: [reading('1')] }], failsBefore: [1] })
    const lives = scriptedSource()
    const sink = recordingSink()
    const pipeline = await opened({ sources: { ends, fails, lives }, subscriptions: { all: { sink } } })
    await pipeline.clock.advance('1m')
    lives.push({ events: [reading('1')] })
    await pipeline.idle()
    expect(sink.received.map(({ event: { source } }) => source).sort()).toEqual(['ends', 'fails', 'lives'])
  })

  // S1-15
  test('each feed a chain of stages of their own, where a subscription names one', async () => {
    const [home, work] = [scriptedSource(), scriptedSource()]
    const chain = (from: string, ran: string[]) => ({
      from: [from],
      stages: ['first', 'second'].map((name) => stage(name, ({ event }) => void ran.push(`${name} ${event.source}`))),
    })
    const ran: Record<string, string[]> = { home: [], work: [] }
    const subscriptions = { athome: chain('home', ran['home']!), atwork: chain('work', ran['work']!) }
    const pipeline = await opened({ sources: { home, work }, subscriptions })
    work.push({ events: [reading('1')] })
    home.push({ events: [reading('1')] })
    await pipeline.idle()
    expect(ran).toEqual({ home: ['first home', 'second home'], work: ['first work', 'second work'] })
  })
})

// S1-12 S1-13
test('source, type and where all have to fit', async () => {
  const [home, work] = [scriptedSource(), scriptedSource()]
  const sink = recordingSink()
  const pipeline = await opened({
    sources: { home, work },
    subscriptions: { hot: { from: ['home'], match: ['reading.*'], where: 'data.celsius > 80', sink } },
  })
  work.push({ events: [reading('other source', 'reading.taken', 90)] })
  home.push({
    events: [
      reading('other type', 'device.lost', 90),
      reading('too cold', 'reading.taken', 79),
      reading('all fit', 'reading.taken', 81),
    ],
  })
  await pipeline.idle()
  expect(sink.received.map(({ event: { id } }) => id)).toEqual(['all fit'])
})

// S1-63
test('an event is tried again when its time has come, however long its source waits for more', async () => {
  const source = scriptedSource({ batches: [{ events: [reading('1')] }] })
  const at: number[] = []
  const pipeline = await opened({
    sources: { feed: source },
    subscriptions: {
      work: {
        start: 'beginning',
        stages: [
          stage('wait', () => (at.push(pipeline.clock.now()) < 3 ? { outcome: 'retry', delay: '2s' } : undefined)),
        ],
        retry: { attempts: 'unlimited', delays: ['2s'], jitter: 0 },
      },
    },
  })
  await pipeline.clock.advance('1h')
  expect(at.map((ms) => ms - at[0]!)).toEqual([0, 2000, 4000])
  expect(source.reads).toHaveLength(1)
})

// S1-70
test.each(['before-commit', 'after-commit-before-ack'] as const)(
  'a crash %s of a batch is no circle: it is read again, and nothing is worked on twice',
  async (point) => {
    const source = scriptedSource()
    const sink = recordingSink()
    const pipeline = await opened({ sources: { feed: source }, subscriptions: { all: { sink } } })
    pipeline.crashAt(point)
    source.push({ events: [reading('1'), reading('2')] })
    await pipeline.idle()
    expect(pipeline.hasCrashed).toBe(true)
    await pipeline.restart()
    // The far side gives the same again, with something new.
    source.push({ events: [reading('1'), reading('2'), reading('3')] })
    await pipeline.clock.advance('1m')
    expect(sink.received.map(({ event: { id } }) => id)).toEqual(['1', '2', '3'])
    expect(await pipeline.audit()).toMatchObject({ ok: true })
  },
)
