import { expect, jest, test } from '@jest/globals'
import { memory } from 'millrace/stores/memory'
import { recordingSink, testPipeline } from 'millrace/testing'
import { scenarios } from './scenarios.js'

for (const [name, run] of Object.entries(scenarios)) test(name, run)

test('what the kit answers is compared by the assertions of jest', async () => {
  const crm = recordingSink({ outcomes: () => ({ outcome: 'reject', reason: 'no' }) })
  const pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: crm } } })
  try {
    await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: { total: 1 } })
    await pipeline.idle()
    expect(await pipeline.deliveries('crm')).toEqual([expect.objectContaining({ id: '1', state: 'dead', attempts: 1 })])
    await expect(pipeline.publish({ source: 'shop', id: '2', type: '' })).rejects.toThrow(/type/)
  } finally {
    await pipeline.close()
  }
})

test('timers that jest fakes stand still, and the clock of the kit does not', async () => {
  jest.useFakeTimers()
  try {
    const crm = recordingSink({
      outcomes: ({ attempt }) => (attempt < 3 ? { outcome: 'retry', reason: 'busy' } : undefined),
    })
    await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: crm } } })
    await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
    await pipeline.clock.advance('3d')
    expect(crm.received).toHaveLength(3)
  } finally {
    jest.useRealTimers()
  }
})
