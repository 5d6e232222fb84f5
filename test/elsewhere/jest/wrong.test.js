import { expect, test } from '@jest/globals'
import { memory } from 'millrace/stores/memory'
import { recordingSink, testPipeline } from 'millrace/testing'

// Fails, and has to: a suite in which nothing can fail shows nothing.
test('one event is delivered twice, which is not so', async () => {
  const crm = recordingSink()
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: crm } } })
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
  await pipeline.idle()
  expect(crm.received).toHaveLength(2)
})
