import { expect, test } from 'vitest'
import { stage } from '../../plugin/stage-function.ts'
import { pull } from '../../sinks/pull.ts'
import { memory } from '../../stores/memory.ts'
import { recordingSink } from '../recording-sink.ts'
import { scriptedSource } from '../scripted-source.ts'
import { testPipeline } from './test-pipeline.ts'

const order = { source: 'shop', id: '1', type: 'order.placed', subject: 'o-1', data: { total: 120 } }

/** Stages that count their calls. */
function counting(...names: string[]) {
  const calls: string[] = []
  const stages = names.map((name) =>
    stage(name, async ({ context }) => {
      calls.push(name)
      return { outcome: 'ack', context: { ...context, [name]: calls.length } }
    }),
  )
  return { calls, stages }
}

// K1
test('crash before commit: nothing is stored, and a source reads again from its old cursor', async () => {
  const inbox = scriptedSource()
  await using pipeline = await testPipeline({ store: memory(), sources: { inbox } })
  inbox.push({ events: [{ id: '1', type: 'a' }] })
  await pipeline.idle()
  pipeline.crashAt('before-commit')
  inbox.push({ events: [{ id: '2', type: 'a' }] })
  await pipeline.idle()
  expect(pipeline.hasCrashed).toBe(true)
  expect(await pipeline.events()).toHaveLength(1)
  await pipeline.restart()
  await pipeline.idle()
  expect(inbox.reads).toEqual([undefined, '1'])
  expect((await pipeline.events()).map(({ id }) => id)).toEqual(['1', '2'])
})

// K3
test('crash after commit before ack: the publisher gets no answer, the event is delivered, and comes again as a duplicate', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  pipeline.crashAt('after-commit-before-ack')
  await expect(pipeline.publish(order)).rejects.toMatchObject({ code: 'store-indeterminate' })
  expect(sink.received).toEqual([])
  await pipeline.restart()
  await pipeline.idle()
  expect(sink.sequences).toEqual([1])
  expect(await pipeline.publish(order)).toMatchObject({ status: 'duplicate', sequence: 1 })
})

// K4, K5, K6
test.each([
  ['during-stage', ['first', 'second', 'second']],
  ['after-stage-before-commit', ['first', 'second', 'second']],
  ['after-stage-commit', ['first', 'second', 'third']],
] as const)('crash %s: what is stored is not done again, what is not is', async (point, expected) => {
  const { calls, stages } = counting('first', 'second', 'third')
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages, sink } } })
  pipeline.crashAt(point, { subscription: 'crm', stage: 'second' })
  await pipeline.publish(order)
  await pipeline.idle()
  expect(pipeline.hasCrashed).toBe(true)
  expect(sink.received).toEqual([])
  await pipeline.restart()
  await pipeline.idle()
  expect(calls.slice(0, 3)).toEqual(expected)
  expect(sink.received).toHaveLength(1)
  expect(Object.keys(sink.received[0]!.context)).toEqual(['first', 'second', 'third'])
})

test('whoever published gets an answer when the crash comes after it, however soon', async () => {
  const { stages } = counting('only')
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages } } })
  pipeline.crashAt('during-stage')
  expect((await pipeline.publish(order)).status).toBe('stored')
  await pipeline.idle()
  expect(pipeline.hasCrashed).toBe(true)
})

// K7, K8
test.each(['during-sink', 'after-sink-before-commit'] as const)(
  'crash %s: the sink is called again with the same message id',
  async (point) => {
    const sink = recordingSink()
    const { calls, stages } = counting('only')
    await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages, sink } } })
    pipeline.crashAt(point, { nth: 2 })
    await pipeline.publish([order, { ...order, id: '2' }])
    await pipeline.idle()
    await pipeline.restart()
    await pipeline.idle()
    expect(calls).toHaveLength(2)
    const second = sink.received.filter(({ event }) => event.id === '2')
    expect(second).toHaveLength(2)
    expect(new Set(second.map(({ messageId }) => messageId)).size).toBe(1)
    expect((await pipeline.audit()).ok).toBe(true)
  },
)

// K9
test('a failed attempt that is not stored is not counted, and stored due times stand', async () => {
  const sink = recordingSink({ outcomes: () => ({ outcome: 'retry', reason: 'busy' }) })
  const retry = { attempts: 5, delays: ['1h'], jitter: 0 }
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink, retry } } })
  await pipeline.publish(order)
  await pipeline.idle()
  pipeline.crash()
  await pipeline.restart()
  await pipeline.clock.advance('59m')
  expect(sink.received).toHaveLength(1)
  pipeline.crashAt('after-sink-before-commit')
  await pipeline.clock.advance('2m')
  await pipeline.restart()
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'waiting', attempts: 2 }])
  expect(sink.received).toHaveLength(3)
})

// K10, K11
test('a lease and a confirm whose answers were lost are there', async () => {
  const sink = pull({ lease: '1m' })
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { work: { sink } } })
  await pipeline.publish(order)
  await pipeline.idle()
  pipeline.crashAt('after-lease-before-answer')
  await expect(pipeline.batches('work').fetchBatch()).rejects.toMatchObject({ code: 'store-indeterminate' })
  await pipeline.restart()
  expect(await pipeline.batches('work').fetchBatch()).toBeUndefined()
  await pipeline.clock.advance('1m')
  const { batch, receipt } = (await pipeline.batches('work').fetchBatch())!
  pipeline.crashAt('after-confirm-before-answer')
  await expect(pipeline.batches('work').confirm(batch, { receipt })).rejects.toMatchObject({
    code: 'store-indeterminate',
  })
  await pipeline.restart()
  expect(await pipeline.batches('work').confirm(batch, { receipt })).toEqual({ confirmed: 0 })
  expect(await pipeline.deliveries('work')).toMatchObject([{ state: 'delivered' }])
})

// K12
test('crash after a coalesced delivery was sent: the latest is sent again, and no superseded one', async () => {
  const sink = recordingSink()
  const coalesce = { window: '10s' }
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { coalesce, sink } } })
  await pipeline.publish([order, { ...order, id: '2' }, { ...order, id: '3' }])
  pipeline.crashAt('after-sink-before-commit')
  await pipeline.clock.advance('10s')
  await pipeline.restart()
  await pipeline.clock.advance('10s')
  expect(sink.sequences).toEqual([3, 3])
  expect((await pipeline.deliveries('crm')).map(({ state }) => state)).toEqual([
    'superseded',
    'superseded',
    'delivered',
  ])
})
