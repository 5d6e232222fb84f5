// Tests of millrace.yaml, the configuration that is deployed. Nothing of it is mocked but the ways out and in.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { webhook } from 'millrace/sinks/webhook'
import { fakeReceiver, testPipeline } from 'millrace/testing'

const config = join(import.meta.dirname, 'millrace.yaml')
const order = { source: 'api', id: '42', type: 'order.placed', subject: 'order-42', data: { total: 120 } }

test('an order becomes one invoice, and the CRM learns of both in order', async () => {
  await using pipeline = await testPipeline(config)
  await pipeline.publish(order)
  await pipeline.publish(order)
  await pipeline.idle()
  const told = pipeline.sink('crm').received.map(({ event }) => event.type)
  assert.deepEqual(told, ['order.placed', 'invoice.due'])
  const [invoice] = await pipeline.derived('billing')
  assert.deepEqual(invoice?.data, { total: 120 })
})

test('an order of nothing is left out, and says why', async () => {
  await using pipeline = await testPipeline(config)
  // As the shop would drop a file.
  pipeline.source('shop').push({ events: [{ id: '1', type: 'order.placed', data: { total: 0 } }] })
  await pipeline.idle()
  const [delivery] = await pipeline.deliveries('billing')
  assert.equal(delivery?.state, 'discarded')
  assert.equal(delivery.reason, 'nothing to pay')
})

test('a crash after an order is stored loses nothing and does nothing twice', async () => {
  await using pipeline = await testPipeline(config)
  pipeline.crashAt('after-commit-before-ack')
  await assert.rejects(pipeline.publish(order))
  await pipeline.restart()
  // Whoever got no answer sends again.
  assert.equal((await pipeline.publish(order)).status, 'duplicate')

  pipeline.crashAt('after-stage-before-commit', { stage: 'invoice' })
  await pipeline.publish({ ...order, id: '43', subject: 'order-43' })
  await pipeline.idle()
  await pipeline.restart()
  await pipeline.idle()
  assert.equal((await pipeline.derived('billing')).length, 2)
})

test('a CRM that is away for three days holds up its own orders only, and can be caught up', async () => {
  const secret = 'whsec_ZXhhbXBsZS1zZWNyZXQtb2YtbWlsbHJhY2UtZG9jcyE='
  await using receiver = await fakeReceiver(['reset', 'timeout', 503], { secret })
  const crm = webhook({ url: receiver.url, secret })
  await using pipeline = await testPipeline(config, { sinks: { crm } })
  await pipeline.publish(order)
  await pipeline.clock.advance('4d')
  assert.equal((await pipeline.derived('billing')).length, 1)
  const [dead] = await pipeline.dead('crm')
  assert.equal(dead?.reason, 'gave up after 10 attempts: status 503')

  receiver.answer(200)
  await pipeline.redrive('crm', { all: true })
  await pipeline.clock.advance('4d')
  assert.deepEqual(await pipeline.dead('crm'), [])
  assert.ok(receiver.received.every(({ isVerified }) => isVerified))
})
