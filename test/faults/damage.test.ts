import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createPipeline, openPipeline, type Pipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { recordingSink } from 'millrace/testing'
import { expect, test } from 'vitest'
import { temporaryFolder, until } from './process.ts'

const count = 20
/** The engine's own two about the dead letters come after them. */
const head = 22

/** A closed file with twenty events: sixteen delivered, two waiting for a retry (3 and 13), two dead (8 and 18). */
async function filledStore(): Promise<string> {
  const path = join(temporaryFolder(), 'events.db')
  const sink = recordingSink({
    outcomes: ({ event }) => {
      if (event.sequence % 10 === 3) return { outcome: 'retry', reason: 'not now', delayMs: 3_600_000 }
      if (event.sequence % 10 === 8) return { outcome: 'reject', reason: 'never' }
      return undefined
    },
  })
  const pipeline = await openPipeline({ store: sqlite({ path }), subscriptions: { work: { sink } } })
  await pipeline.publish(
    Array.from({ length: count }, (_, index) => ({
      source: 'shop',
      id: String(index + 1),
      type: 'order.placed',
      data: { text: `needle-${index + 1}.` },
    })),
  )
  await pipeline.idle()
  await pipeline.stop()
  return path
}

/** Opens the file for reading and asks. */
async function ask<T>(path: string, question: (pipeline: Pipeline) => Promise<T>): Promise<T> {
  const pipeline = createPipeline({ store: sqlite({ path, readOnly: true }) })
  await pipeline.open()
  try {
    return await question(pipeline)
  } finally {
    await pipeline.stop()
  }
}

function execute(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  const { changes } = database.prepare(sql).run()
  database.close()
  expect(changes).toBe(1)
}

/** Changes one byte of the data of an event where the file holds it. */
function flipByte(path: string, sequence: number): void {
  const bytes = readFileSync(path)
  const needle = `needle-${sequence}.`
  const at = bytes.indexOf(needle)
  expect(at).toBeGreaterThan(0)
  bytes[at] = 'N'.charCodeAt(0)
  writeFileSync(path, bytes)
}

test('the audit of a healthy store finds nothing', async () => {
  // G14
  const report = await ask(await filledStore(), (pipeline) => pipeline.audit())
  expect(report).toMatchObject({
    ok: true,
    head,
    events: head,
    problems: [],
    subscriptions: [{ name: 'work', ok: true, problems: [], books: { delivered: 16, dead: 2, open: 2 } }],
  })
})

// G5 G14
test.each([
  ['the first event', 'DELETE FROM events WHERE sequence = 1', 'no event 1'],
  ['an event in the middle', 'DELETE FROM events WHERE sequence = 7', 'no event 7'],
  [
    'a waiting delivery',
    'DELETE FROM deliveries WHERE sequence = 3',
    'work: 20 events became deliveries, but 18 are settled and 1 open',
  ],
  [
    'a dead letter',
    'DELETE FROM dead WHERE sequence = 18',
    'work: 20 events became deliveries, but 17 are settled and 2 open',
  ],
  [
    'a row of the history',
    'DELETE FROM history WHERE last = (SELECT max(last) FROM history)',
    'work: the ledger counts 2 dead, the history ',
  ],
])('%s that is gone is named by the audit', async (_, sql, problem) => {
  const path = await filledStore()
  execute(path, sql)
  const report = await ask(path, (pipeline) => pipeline.audit())
  expect(report.ok).toBe(false)
  const problems = [
    ...report.problems,
    ...report.subscriptions.flatMap(({ name, problems: found }) => found.map((text) => `${name}: ${text}`)),
  ]
  expect(problems.join('\n')).toContain(problem)
})

test('a store whose last event is gone does not open as if nothing were missing', async () => {
  // G5
  const path = await filledStore()
  execute(path, `DELETE FROM events WHERE sequence = ${head}`)
  await expect(openPipeline({ store: sqlite({ path }) })).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining(path),
  })
})

test('a changed byte of an event is reported with its sequence by whoever reads it, and the changed data goes nowhere', async () => {
  // G5
  const path = await filledStore()
  flipByte(path, 5)
  const corrupt = { code: 'store-corrupt', facts: { sequence: 5 }, message: expect.stringContaining('event 5 ') }
  await ask(path, async ({ store }) => {
    expect((await store.read(0, 100)).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4])
    await expect(store.read(4, 100)).rejects.toMatchObject(corrupt)
    await expect(store.readMany([5])).rejects.toMatchObject(corrupt)
    await expect(store.query({ id: '5', limit: 10 })).rejects.toMatchObject(corrupt)
    expect((await store.read(5, 100)).map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: head - 5 }, (_, index) => 6 + index),
    )
  })
  const report = await ask(path, (pipeline) => pipeline.audit())
  expect(report.ok).toBe(false)
  expect(report.problems.join()).toContain('event 5 ')
})

test('deliveries do not pass a changed event as if it were not there: health and log name it', async () => {
  // G5
  const path = await filledStore()
  flipByte(path, 5)
  const errors: string[] = []
  const log = {
    ...{ debug: () => undefined, info: () => undefined, warn: () => undefined },
    error: (message: string, fields?: Readonly<Record<string, unknown>>) =>
      void errors.push(`${message} ${JSON.stringify(fields)}`),
  }
  const sink = recordingSink()
  const pipeline = await openPipeline(
    { store: sqlite({ path }), subscriptions: { late: { sink, start: 'beginning' } } },
    { log },
  )
  await until(() => errors.length > 0)
  expect(errors.join()).toContain('event 5 ')
  const health = await pipeline.health()
  expect(health.ready).toBe(false)
  expect(health.problems.join()).toContain('event 5 ')
  expect(sink.sequences).not.toContain(5)
  await pipeline.stop()
})
