import { expect, test } from 'vitest'
import { stage } from '../../plugin/stage-function.ts'
import { memory } from '../../stores/memory.ts'
import { recordingSink } from '../recording-sink.ts'
import { scriptedSource } from '../scripted-source.ts'
import { testPipeline } from './test-pipeline.ts'

const order = { source: 'shop', id: '1', type: 'order.placed', subject: 'o-1', data: { total: 120 } }

test('what is published is delivered without time passing', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { match: ['order.*'], sink } } })
  const began = pipeline.clock.now()
  await pipeline.publish([order, { ...order, id: '2', type: 'user.joined' }])
  await pipeline.idle()
  expect(sink.sequences).toEqual([1])
  expect(pipeline.clock.now()).toBe(began)
  expect(await pipeline.deliveries('crm')).toEqual([
    { sequence: 1, id: '1', type: 'order.placed', state: 'delivered', attempts: 1 },
  ])
  expect((await pipeline.events()).map(({ type }) => type)).toEqual(['order.placed', 'user.joined'])
  expect(pipeline.log.lines).toEqual([])
})

test('a source follows its script, and what stages derive is told apart', async () => {
  const inbox = scriptedSource({ batches: [{ events: [{ id: '1', type: 'order.placed' }] }] })
  const split = stage('split', () => ({ outcome: 'ack', derive: [{ type: 'invoice.due' }] }))
  await using pipeline = await testPipeline({
    store: memory(),
    sources: { inbox },
    subscriptions: { billing: { match: ['order.*'], stages: [split] } },
  })
  await pipeline.idle()
  inbox.push({ events: [{ id: '2', type: 'order.placed' }] })
  await pipeline.idle()
  expect((await pipeline.derived('billing')).map(({ type }) => type)).toEqual(['invoice.due', 'invoice.due'])
  expect(await pipeline.derived()).toHaveLength(2)
  expect(await pipeline.events()).toHaveLength(4)
})

test('retries come when their time has come', async () => {
  const sink = recordingSink({
    outcomes: ({ attempt }) => (attempt < 3 ? { outcome: 'retry', reason: 'busy' } : undefined),
  })
  await using pipeline = await testPipeline({
    store: memory(),
    subscriptions: { crm: { sink, retry: { attempts: 5, delays: ['1h', '1d'], jitter: 0 } } },
  })
  await pipeline.publish(order)
  await pipeline.idle()
  expect(await pipeline.deliveries('crm')).toMatchObject([
    { state: 'waiting', attempts: 1, dueAt: '2026-01-01T01:00:00.000Z' },
  ])
  await pipeline.clock.advance('1h')
  expect(sink.received).toHaveLength(2)
  await pipeline.clock.advance('23h 59m')
  expect(sink.received).toHaveLength(2)
  await pipeline.clock.advance('1m')
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered', attempts: 3 }])
})

test('a crash loses what is not in the store, and a restart goes on with what is', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  await pipeline.publish(order)
  pipeline.crash()
  expect(pipeline.hasCrashed).toBe(true)
  await expect(async () => pipeline.publish(order)).rejects.toThrow(/has crashed; call restart/)
  await pipeline.restart()
  await pipeline.idle()
  // The sink was called before the crash, and nothing of it was stored.
  expect(sink.received.map(({ messageId }) => messageId)).toEqual(Array(2).fill(sink.received[0]?.messageId))
  expect((await pipeline.publish(order)).status).toBe('duplicate')
})
