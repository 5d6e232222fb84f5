import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createPipeline, openPipeline, type Pipeline, type PipelineConfig, stage } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'
import { expect, test } from 'vitest'
import { temporaryFolder, until } from './process.ts'

type Subscription = NonNullable<PipelineConfig['subscriptions']>[string]

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const count = 10

function start(path: string, work: Subscription): Promise<Pipeline> {
  return openPipeline({ store: sqlite({ path }), subscriptions: { work } }, { log: silent })
}

/** A closed file with ten events of two subjects, whose deliveries were left as the subscription leaves them. */
async function leftOpen(work: Subscription, isReady: (pipeline: Pipeline) => Promise<boolean>): Promise<string> {
  const path = join(temporaryFolder(), 'events.db')
  const pipeline = await start(path, work)
  await pipeline.publish(
    Array.from({ length: count }, (_, index) => ({
      source: 'shop',
      id: String(index + 1),
      type: 'order.placed',
      subject: index % 2 === 0 ? 'odd' : 'even',
      data: { text: `needle-${index + 1}.` },
    })),
  )
  await until(() => isReady(pipeline))
  await pipeline.stop({ deadline: '5ms' })
  return path
}

/** All ten under way when the process stopped. */
const pending = () => {
  const sink = recordingSink({ outcomes: () => new Promise(() => undefined) as never })
  return leftOpen({ sink }, async () => sink.sequences.length === count)
}

/** Of each of two subjects one may be in memory; the others are behind it in rows. */
const fair: Partial<Subscription> = { fairBy: 'event.subject', concurrency: 1, window: 16 }
const behind = () => {
  const sink = recordingSink({ outcomes: () => new Promise(() => undefined) as never })
  return leftOpen({ sink, ...fair }, async (pipeline) => (await pipeline.subscription('work')).open === count)
}

/** All ten waiting for a retry that is due at once. */
const waiting = (more: Partial<Subscription> = {}) =>
  leftOpen(
    { sink: recordingSink({ outcomes: () => ({ outcome: 'retry', reason: 'later', delayMs: 30_000 }) }), ...more },
    async (pipeline) => (await pipeline.subscription('work')).counters.retries >= 2,
  ).then((path) => {
    execute(path, 'UPDATE deliveries SET due = 1')
    return path
  })

function execute(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  expect(database.prepare(sql).run().changes).toBeGreaterThan(0)
  database.close()
}

const damage = (path: string, sequence: number): void =>
  execute(path, `UPDATE events SET data = replace(data, 'needle', 'Needle') WHERE sequence = ${sequence}`)

const others = (...gone: number[]): number[] =>
  Array.from({ length: count }, (_, index) => index + 1).filter((sequence) => !gone.includes(sequence))

async function settled(pipeline: Pipeline, delivered: number): Promise<void> {
  await until(async () => (await pipeline.subscription('work')).counters.delivered === delivered)
  await pipeline.idle()
}

// G5 G14 G20
test.each<[string, () => Promise<string>, Partial<Subscription>]>([
  ['under way', pending, {}],
  ['waiting for a retry', () => waiting(), {}],
  ['waiting behind others of their group', behind, fair],
])(
  'of deliveries %s one has a damaged event: the start succeeds, it is dead and says why, the others are delivered',
  async (_, prepare, more) => {
    const path = await prepare()
    damage(path, 4)
    const sink = recordingSink()
    const pipeline = await start(path, { sink, ...more })
    await settled(pipeline, count - 1)
    expect(sink.sequences.toSorted((a, b) => a - b)).toEqual(others(4))
    const [letter, ...rest] = await pipeline.dead('work', { limit: 10 })
    expect(rest).toEqual([])
    expect(letter).toMatchObject({
      sequence: 4,
      reason: 'unreadable: the store is damaged (store-corrupt)',
      error: expect.stringContaining('reading event 4 of the log: its checksum does not match'),
    })
    expect(letter?.event).toBeUndefined()
    expect(await pipeline.explain(4)).toMatchObject({
      unreadable: expect.stringContaining('event 4 of the log'),
      deliveries: [{ state: 'dead', reason: letter?.reason }],
    })
    const health = await pipeline.health()
    expect([health.ready, health.warnings?.length]).toEqual([true, 1])
    expect(health.warnings?.[0]).toContain('work')
    expect((await pipeline.audit()).subscriptions).toMatchObject([
      { ok: true, books: { dead: 1, delivered: 9, open: 0 } },
    ])
    expect((await pipeline.store.verify()).problems).toEqual(['event 4: its checksum does not match'])
    await pipeline.stop()
  },
)

test('what is remembered of a delivery is damaged: it is dead with its event, the other due ones go on', async () => {
  // G5 G14
  const path = await waiting()
  execute(path, 'UPDATE deliveries SET body = substr(body, 5) WHERE sequence = 3')
  const sink = recordingSink()
  const pipeline = await start(path, { sink })
  await settled(pipeline, count - 1)
  expect(sink.sequences.toSorted((a, b) => a - b)).toEqual(others(3))
  expect(await pipeline.dead('work', { limit: 10 })).toMatchObject([
    { sequence: 3, event: { id: '3' }, error: expect.stringContaining('the delivery of event 3 is damaged') },
  ])
  await pipeline.redrive('work', { sequences: [3] })
  await settled(pipeline, count)
  expect((await pipeline.audit()).ok).toBe(true)
  await pipeline.stop()
})

test('verify names the rows of subscriptions that are damaged', async () => {
  const path = await waiting()
  execute(path, "UPDATE deliveries SET body = 'x' WHERE sequence = 3")
  const pipeline = createPipeline({ store: sqlite({ path, readOnly: true }) })
  await pipeline.open()
  const { problems } = await pipeline.store.verify()
  expect(problems).toEqual(['what work remembers of event 3 is damaged (deliveries)'])
  await pipeline.stop()
})

// G5 G8
test.each([
  ['the head of a key', 1],
  ['one that waits behind it', 3],
  ['the last of a key', 9],
])('under ordering, %s is damaged: the rest of its key follows in order', async (_, sequence) => {
  const path = await waiting({ ordering: 'key' })
  damage(path, sequence)
  const sink = recordingSink()
  const pipeline = await start(path, { sink, ordering: 'key' })
  await settled(pipeline, count - 1)
  expect(sink.sequences.filter((each) => each % 2 === 1)).toEqual(others(sequence).filter((each) => each % 2 === 1))
  expect((await pipeline.audit()).subscriptions).toMatchObject([{ ok: true, books: { dead: 1, open: 0 } }])
  await pipeline.stop()
})

test('under park a damaged head holds its key until it is discarded, as any other dead letter', async () => {
  const path = await waiting({ ordering: 'key', onFailure: 'park' })
  damage(path, 1)
  const sink = recordingSink()
  const pipeline = await start(path, { sink, ordering: 'key', onFailure: 'park' })
  await settled(pipeline, 5)
  expect(sink.sequences).toEqual([2, 4, 6, 8, 10])
  expect(await pipeline.subscription('work')).toMatchObject({ open: 4, counters: { dead: 1 } })
  await pipeline.discard('work', { sequences: [1] })
  await settled(pipeline, count - 1)
  expect(sink.sequences.slice(5)).toEqual([3, 5, 7, 9])
  await pipeline.stop()
})

test('a delivery whose event a stage replaced has a copy of its own, and is delivered in spite of the damage', async () => {
  const stages = [stage('rewrite', ({ event }) => ({ outcome: 'ack', event: { data: { was: event.id } } }))]
  const path = await waiting({ stages })
  damage(path, 4)
  const sink = recordingSink()
  const pipeline = await start(path, { sink, stages })
  await settled(pipeline, count)
  expect(sink.received.find(({ event }) => event.sequence === 4)?.event.data).toEqual({ was: '4' })
  await pipeline.stop()
})

test('redriving a dead letter whose event was damaged since uses its own copy; one without a copy dies again', async () => {
  // G20
  const path = await leftOpen(
    { sink: recordingSink({ outcomes: () => ({ outcome: 'reject', reason: 'never' }) }) },
    async (pipeline) => (await pipeline.subscription('work')).counters.dead === count,
  )
  damage(path, 4)
  execute(path, "UPDATE dead SET body = json_remove(body, '$.event') WHERE sequence = 5")
  damage(path, 5)
  const sink = recordingSink()
  const pipeline = await start(path, { sink })
  const both = await Promise.all([1, 2].map(() => pipeline.redrive('work', { all: true })))
  expect(both.map(({ redriven }) => redriven).toSorted((a, b) => a - b)[1]).toBe(count)
  await settled(pipeline, count - 1)
  expect(sink.received.find(({ event }) => event.sequence === 4)?.event.data).toEqual({ text: 'needle-4.' })
  expect((await pipeline.dead('work', { limit: 10 })).map(({ sequence }) => sequence)).toEqual([5])
  expect((await pipeline.audit()).subscriptions).toMatchObject([{ ok: true, books: { dead: 1, open: 0 } }])
  await pipeline.stop()
})

test('a ledger that cannot be read stops the start with its name, and nothing is invented for it', async () => {
  const path = await waiting()
  execute(path, "UPDATE ledgers SET body = substr(body, 2) WHERE subscription = 'work'")
  await expect(start(path, { sink: recordingSink() })).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining('the ledger of work'),
  })
})
