import { expect, onTestFinished, test, vi } from 'vitest'
import { stage } from '../../plugin/stage-function.ts'
import { webhook } from '../../sinks/webhook.ts'
import { memory } from '../../stores/memory.ts'
import { recordingSink } from '../recording-sink.ts'
import { scriptedSource } from '../scripted-source.ts'
import { fakeReceiver } from './fake-receiver.ts'
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
  await expect(pipeline.publish(order)).rejects.toThrow(/has crashed; call restart/)
  expect(() => pipeline.stats()).toThrow(/has crashed; call restart/)
  await pipeline.restart()
  await pipeline.idle()
  // The sink was called before the crash, and nothing of it was stored.
  expect(sink.received.map(({ messageId }) => messageId)).toEqual(Array(2).fill(sink.received[0]?.messageId))
  expect((await pipeline.publish(order)).status).toBe('duplicate')
})

test('three days of webhook retries over real HTTP take less than 100 ms', async () => {
  // The first run loads what HTTP needs, and other tests run at the same time: one of them has to be as fast.
  let bestMs = Number.POSITIVE_INFINITY
  for (let run = 0; run < 10 && bestMs >= 100; run++) {
    await using receiver = await fakeReceiver([500])
    const sink = webhook({ url: receiver.url })
    await using pipeline = await testPipeline({
      store: memory(),
      subscriptions: { crm: { sink, retry: { jitter: 0 } } },
    })
    const began = performance.now()
    await pipeline.publish(order)
    await pipeline.clock.advance('4d')
    bestMs = Math.min(bestMs, performance.now() - began)
    const [delivery] = (await pipeline.explain(1)).deliveries
    expect(delivery).toMatchObject({ state: 'dead', attemptCount: 10 })
    const { at } = delivery!.attempts.at(-1)!
    expect(at - delivery!.attempts[0]!.at).toBeGreaterThan(3 * 86_400_000)
  }
  expect(bestMs).toBeLessThan(100)
})

test('a stage that hangs does not hold up time for ever, and gets its timeout', async () => {
  const hang = stage('hang', async ({ attempt, signal }) => {
    if (attempt === 1) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  await using pipeline = await testPipeline(
    {
      store: memory(),
      subscriptions: { crm: { stages: [hang], timeout: '10s', retry: { attempts: 2, delays: ['1m'] } } },
    },
    { patience: '20ms' },
  )
  await pipeline.publish(order)
  await pipeline.clock.advance('5m')
  const [delivery] = (await pipeline.explain(1)).deliveries
  expect(delivery).toMatchObject({ state: 'delivered', attempts: [{ reason: expect.stringMatching(/timed out/) }] })
})

test('what is slow for real is waited for: no time passes over it', async () => {
  const slow = stage('slow', () => new Promise<undefined>((resolve) => setTimeout(resolve, 50, undefined)))
  await using pipeline = await testPipeline({
    store: memory(),
    subscriptions: { crm: { stages: [slow], timeout: '10ms', retry: { attempts: 1 } } },
  })
  await pipeline.publish(order)
  await pipeline.clock.advance('1h')
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered', attempts: 1 }])
})

test('dead letters are put back at their time, however coarse the clock is elsewhere', async () => {
  const sink = recordingSink({ outcomes: () => ({ outcome: 'reject', reason: 'no' }) })
  const dead = { redrive: { after: '1h', times: 1 } }
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink, dead } } })
  await pipeline.publish(order)
  await pipeline.idle()
  expect(await pipeline.dead('crm')).toMatchObject([{ sequence: 1, reason: 'no' }])
  await pipeline.clock.advance('1h 1m')
  expect(sink.received).toHaveLength(2)
})

test('two runs of one test are the same, ids included', async () => {
  const run = async () => {
    const split = stage('split', () => ({ outcome: 'reject', reason: 'no' }))
    await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { stages: [split] } } })
    await pipeline.publish(order)
    await pipeline.idle()
    return [await pipeline.events(), await pipeline.explain(1), pipeline.store.incarnation]
  }
  expect(JSON.stringify(await run())).toBe(JSON.stringify(await run()))
})

test('everything of a pipeline is there: its HTTP API, pausing, replays, stopping', async () => {
  const sink = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink } } })
  await pipeline.pause('crm')
  const answer = await pipeline.handler(
    new Request('http://localhost/v1/events', {
      method: 'POST',
      headers: { 'content-type': 'application/json', host: 'localhost' },
      body: JSON.stringify(order),
    }),
  )
  expect(answer.status).toBe(201)
  await pipeline.idle()
  expect(sink.received).toEqual([])
  await pipeline.resume('crm')
  await pipeline.idle()
  expect(sink.received).toHaveLength(1)
  expect(pipeline.stats().published.stored).toBe(1)
  await pipeline.stop()
  await expect(async () => pipeline.publish(order)).rejects.toMatchObject({ code: 'stopping' })
  await pipeline.restart()
  expect((await pipeline.publish(order)).status).toBe('duplicate')
})

test('timers that the test runner fakes do not hold it up', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const sink = recordingSink()
  await using receiver = await fakeReceiver([500, 'timeout', 200])
  const hook = webhook({ url: receiver.url })
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink }, hook: { sink: hook } } })
  await pipeline.publish(order)
  await pipeline.clock.advance('1d')
  expect(await pipeline.deliveries('hook')).toMatchObject([{ state: 'delivered', attempts: 3 }])
  pipeline.crash()
  await pipeline.restart()
  expect(sink.received).toHaveLength(1)
})
