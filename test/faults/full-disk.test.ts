import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AppError, defineStore, openPipeline, type Pipeline } from 'millrace'
import { schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/stores/sqlite/open.ts'
import { temporaryFolder, until } from './process.ts'

/** The SQLite store on a disk with room for so many pages. */
const smallDisk = defineStore({
  name: 'small-disk',
  summary: 'The SQLite store with a largest size.',
  options: schema.strictObject({ path: schema.string(), pages: schema.number() }),
  example: {},
  open: ({ path, pages }, context) =>
    openSqlite(
      {
        path,
        maxPages: pages,
        durability: 'disk',
        cacheBytes: 8_000_000,
        readOnly: false,
        acceptLoss: false,
        dedup: { recentKeys: 64, fanIn: 2 },
      },
      context,
    ),
})

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

const event = (n: number) => ({
  source: 'shop',
  id: String(n),
  type: 'order.placed',
  data: { text: 'x'.repeat(20_000) },
})

/** Publishes until the disk is full; answers how many were acknowledged, and the error. */
async function fill(pipeline: Pipeline): Promise<{ stored: number; error: AppError }> {
  for (let n = 1; n < 1000; n++) {
    try {
      await pipeline.publish(event(n))
    } catch (error) {
      return { stored: n - 1, error: error as AppError }
    }
  }
  throw new Error('the small disk never became full')
}

/** A pipeline on a small disk whose sink answers when told to. */
async function onSmallDisk(pages = 100) {
  const path = join(temporaryFolder(), 'events.db')
  const told = Promise.withResolvers<undefined>()
  const sink = recordingSink({ outcomes: () => told.promise })
  const pipeline = await openPipeline(
    { store: smallDisk({ path, pages }), subscriptions: { work: { sink, start: 'beginning' } } },
    { log: silent },
  )
  return { path, sink, pipeline, answer: () => told.resolve(undefined) }
}

test('a full disk: publishing says so and stores nothing of it, what is stored is delivered, and with room again it works', async () => {
  // G3 S0-14
  const { pipeline, sink, answer } = await onSmallDisk()
  const { stored, error } = await fill(pipeline)
  expect(stored).toBeGreaterThan(5)
  expect(error).toMatchObject({ code: 'store-full', message: expect.stringContaining('Nothing of it was stored') })
  expect(pipeline.store.head()).toBe(stored)
  const answerOverHttp = await pipeline.handler(
    new Request('http://localhost/v1/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(event(stored + 1)),
    }),
  )
  expect(answerOverHttp.status).toBe(503)
  expect(await answerOverHttp.json()).toMatchObject({ code: 'store-full' })
  expect(pipeline.store.head()).toBe(stored)

  answer()
  await until(() => sink.received.length === stored)
  await pipeline.store.prune({ events: stored - 2 })
  expect(await pipeline.publish(event(stored + 1))).toMatchObject({ status: 'stored', sequence: stored + 1 })
  await until(async () => (await pipeline.subscription('work')).counters.delivered === stored + 1)
  expect(new Set(sink.sequences).size).toBe(stored + 1)
  expect(await pipeline.audit()).toMatchObject({ ok: true })
  expect((await pipeline.health()).problems).toEqual([])
  await pipeline.stop()
})

test('a stop on a full disk ends at its deadline, and the next start delivers what could not be recorded', async () => {
  // G3 G32
  const { path, pipeline, sink, answer } = await onSmallDisk()
  const { stored } = await fill(pipeline)
  answer()
  await until(() => sink.received.length === stored)
  const began = performance.now()
  await pipeline.stop({ deadline: '100ms' })
  expect(performance.now() - began).toBeLessThan(5000)

  const again = recordingSink()
  await using next = await openPipeline({
    store: sqlite({ path }),
    subscriptions: { work: { sink: again, start: 'beginning', retry: { attempts: 5, delays: ['1ms'] } } },
  })
  await until(async () => (await next.subscription('work')).counters.delivered === stored)
  expect(await next.audit()).toMatchObject({ ok: true })
})

// S0-14
test.each([
  ['a path that is a folder', (folder: string) => folder],
  ['a folder that cannot be made', (folder: string) => join(folder, 'file', 'events.db')],
  ['a folder that cannot be written', () => '/proc/millrace/events.db'],
])('%s: the error names the path and why', async (_, pathIn) => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'file'), '')
  const path = pathIn(folder)
  const failure = openPipeline({ store: sqlite({ path }) })
  await expect(failure).rejects.toMatchObject({ code: 'store-unopenable', message: expect.stringContaining(path) })
  await expect(failure).rejects.not.toThrow(/bug/)
  expect(readdirSync(folder)).toEqual(['file'])
})
