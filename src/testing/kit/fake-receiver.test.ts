import { expect, test } from 'vitest'
import { webhook } from '../../sinks/webhook.ts'
import { memory } from '../../stores/memory.ts'
import { fakeReceiver, type ReceiverAnswer } from './fake-receiver.ts'
import { testPipeline } from './test-pipeline.ts'

const order = { source: 'shop', id: '1', type: 'order.placed', data: { total: 120 } }
const secret = 'whsec_ZXhhbXBsZS1zZWNyZXQtb2YtbWlsbHJhY2UtZG9jcyE='

/** A pipeline with one webhook, and its receiver. */
async function shop(answers: readonly ReceiverAnswer[], options: { secret?: string } = {}) {
  const stack = new AsyncDisposableStack()
  const receiver = stack.use(await fakeReceiver(answers, options))
  const sink = webhook({ url: receiver.url, ...options })
  // What the receiver holds back costs no patience.
  const config = { store: memory(), subscriptions: { crm: { sink } } }
  const pipeline = stack.use(await testPipeline(config, { patience: '1h' }))
  return { receiver, pipeline, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

test('a receiver keeps what it got, and tells a true signature from a forged one', async () => {
  await using both = await shop([200], { secret })
  const { receiver, pipeline } = both
  await pipeline.publish(order)
  const first = await receiver.request(1)
  expect(first).toMatchObject({ method: 'POST', path: '/hook', isVerified: true })
  expect(first.json()).toMatchObject({ type: 'order.placed', data: { total: 120 } })
  expect(first.messageId).toMatch(/^msg_/)
  const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': '1767225600', 'webhook-signature': 'v1,AAAA' }
  await fetch(receiver.url, { method: 'POST', body: '{}', headers })
  expect((await receiver.request(2)).isVerified).toBe(false)
})

test('a receiver without a secret judges no signature', async () => {
  await using receiver = await fakeReceiver()
  expect((await fetch(`${receiver.url}/deeper?a=1`)).status).toBe(200)
  expect(receiver.received).toMatchObject([{ method: 'GET', path: '/hook/deeper?a=1', isVerified: undefined }])
})

test('answers follow one another, the last one again and again, and each has its effect', async () => {
  const busy = { status: 429, headers: { 'retry-after': '3600' } }
  await using both = await shop([500, busy, 'timeout', 'reset', 503, 200])
  const { receiver, pipeline } = both
  await pipeline.publish(order)
  await pipeline.clock.advance('1d')
  const [delivery] = (await pipeline.explain(1)).deliveries
  expect(delivery?.state).toBe('delivered')
  expect(delivery?.attempts.map(({ reason }) => reason)).toEqual([
    'status 500',
    'status 429',
    'timeout',
    'the connection was closed before the answer',
    'status 503',
  ])
  expect(receiver.received).toHaveLength(6)
  expect(new Set(receiver.received.map(({ messageId }) => messageId)).size).toBe(1)
  await pipeline.publish({ ...order, id: '2' })
  await pipeline.idle()
  expect(receiver.received).toHaveLength(7)
})

test('what is answered can change while it runs', async () => {
  await using both = await shop([503])
  const { receiver, pipeline } = both
  await pipeline.publish(order)
  await receiver.request(1)
  receiver.answer(204)
  await pipeline.clock.advance('1m')
  expect(await pipeline.deliveries('crm')).toMatchObject([{ state: 'delivered', attempts: 2 }])
})

test('time stands still while a request is under way', async () => {
  await using both = await shop([200])
  const { receiver, pipeline } = both
  await pipeline.publish(Array.from({ length: 200 }, (_, i) => ({ ...order, id: `${i}` })))
  // Far beyond the timeout of an attempt.
  await pipeline.clock.advance('1h')
  expect(receiver.received).toHaveLength(200)
  expect((await pipeline.deliveries('crm')).every(({ attempts }) => attempts === 1)).toBe(true)
})

test('a secret that is none is said', async () => {
  await expect(fakeReceiver([200], { secret: 'whsec_!' })).rejects.toMatchObject({ code: 'usage' })
})
