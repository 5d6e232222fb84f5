// How such a saga is tested: `node --test` in this folder. Days pass in milliseconds, and the process crashes when told to.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memory } from 'millrace/stores/memory'
import { testPipeline } from 'millrace/testing'
import orderSaga from './order-saga.ts'

const open = () =>
  testPipeline({
    store: memory(),
    subscriptions: { orders: { match: ['order.placed', 'parcel.*'], stages: [orderSaga] } },
  })
const placed = (subject: string) => ({
  ...{ source: 'shop', id: subject, type: 'order.placed', subject },
  data: { chairs: 1, total: 60 },
})

test('an order whose parcel is not packed within two days is cancelled', async () => {
  await using pipeline = await open()
  await pipeline.publish(placed('late'))
  await pipeline.clock.advance('47h')
  assert.deepEqual(await pipeline.derived(), [])
  await pipeline.clock.advance('2h')
  const [cancelled] = await pipeline.derived()
  assert.equal(cancelled?.type, 'order.cancelled')
  assert.deepEqual(cancelled.data, { reason: 'packed: what it waits for did not come in time' })
})

test('a crash after a step and before its result is stored changes nothing', async () => {
  await using pipeline = await open()
  pipeline.crashAt('after-stage-before-commit', { nth: 3 })
  await pipeline.publish(placed('crashed'))
  await pipeline.idle()
  assert.ok(pipeline.hasCrashed)
  await pipeline.restart()
  await pipeline.clock.advance('1m')
  await pipeline.publish({ source: 'shop', id: 'packed', type: 'parcel.packed', subject: 'crashed' })
  await pipeline.idle()
  assert.deepEqual(
    (await pipeline.derived()).map(({ type }) => type),
    ['order.completed'],
  )
})
