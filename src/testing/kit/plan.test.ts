import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { defineSink } from '../../plugin/define.ts'
import type { PipelineConfig } from '../../plugin/pipeline-config.ts'
import { schema } from '../../plugin/schema.ts'
import { webhook } from '../../sinks/webhook.ts'
import { directory } from '../../sources/directory.ts'
import { memory } from '../../stores/memory.ts'
import { sqlite } from '../../stores/sqlite.ts'
import { recordingSink } from '../recording-sink.ts'
import { scriptedSource } from '../scripted-source.ts'
import { testPipeline } from './test-pipeline.ts'

const order = { source: 'shop', id: '1', type: 'order.placed' }

/** As somebody runs it in production: nothing of it is there in a test. */
const production: PipelineConfig = {
  store: sqlite({ path: '/nowhere/events.db' }),
  sources: { inbox: directory({ path: '/nowhere/inbox' }) },
  subscriptions: {
    crm: { match: ['order.*'], sink: webhook({ url: 'https://crm.example/hook' }) },
    billing: { match: ['order.*'], sink: webhook({ url: 'https://billing.example/hook' }) },
    audit: {},
  },
}

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kit-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'millrace.yaml'), text)
  return join(folder, 'millrace.yaml')
}

test('a production configuration runs in memory, with sinks that record and sources that wait for a script', async () => {
  await using pipeline = await testPipeline(production, { sinks: 'recording', sources: 'scripted' })
  pipeline.source('inbox').push({ events: [{ id: '1', type: 'order.placed' }] })
  await pipeline.idle()
  expect(pipeline.sink('crm').sequences).toEqual([1])
  expect(pipeline.sink('billing').sequences).toEqual([1])
  expect(pipeline.store.type).toBe('memory')
})

test('a sink that stands for another keeps its policy: a webhook’s ten attempts over three days', async () => {
  const crm = recordingSink({ outcomes: () => ({ outcome: 'retry', reason: 'busy' }) })
  const inbox = scriptedSource()
  const sinks = { crm, billing: recordingSink() }
  await using pipeline = await testPipeline(production, { sinks, sources: { inbox } })
  await pipeline.publish(order)
  await pipeline.clock.advance('4d')
  expect(crm.received).toHaveLength(10)
  expect(sinks.billing.received).toHaveLength(1)
})

test('a configuration file is the one of production: nothing goes out unless the test says so', async () => {
  const config = file(`
store: { type: sqlite, path: /nowhere/events.db }
sources:
  inbox: { type: directory, path: /nowhere/inbox }
  api: { type: http }
subscriptions:
  crm: { match: [order.*], sink: { type: webhook, url: "\${CRM_URL}" } }
  live: { sink: { type: sse } }
`)
  const env = { CRM_URL: 'https://crm.example/hook' }
  await using pipeline = await testPipeline(config, { env })
  pipeline.source('inbox').push({ events: [{ id: '1', type: 'order.placed' }] })
  await pipeline.publish({ ...order, source: 'api' })
  await pipeline.idle()
  expect(pipeline.sink('crm').sequences).toEqual([1, 2])
  expect(() => pipeline.sink('live')).toThrow(/no recording sink stands for live; there are crm/)
  await expect(testPipeline(config, { env: {} })).rejects.toThrow(/CRM_URL/)
})

test('what is replaced must be there, and a configuration that is wrong says everything', async () => {
  const sinks = { cmr: recordingSink() }
  await expect(testPipeline(production, { sinks })).rejects.toThrow(
    /sinks\.cmr names no subscription; there are crm, billing, audit/,
  )
  const wrong = { ...production, limts: {} } as PipelineConfig
  await expect(testPipeline(wrong)).rejects.toMatchObject({ code: 'config-invalid' })
  await expect(testPipeline(production, { sinks: { crm: webhook({ url: 'nowhere' }) } })).rejects.toThrow(
    /sinks\.crm.*url/,
  )
})

test('a sink that stands for another gets its batches', async () => {
  const sizes: number[] = []
  const counting = defineSink({
    name: 'counting',
    summary: 'Counts what it is given at once.',
    delivers: 'Nothing.',
    options: schema.strictObject({}).optional(),
    example: {},
    create: () => ({ deliver: (deliveries) => void sizes.push(deliveries.length) }),
  })
  const config = { store: memory(), subscriptions: { crm: { concurrency: 1, sink: recordingSink({ batch: 3 }) } } }
  await using pipeline = await testPipeline(config, { sinks: { crm: counting() } })
  await pipeline.publish(Array.from({ length: 6 }, (_, id) => ({ ...order, id: `${id}` })))
  await pipeline.idle()
  expect(Math.max(...sizes)).toBe(3)
})
