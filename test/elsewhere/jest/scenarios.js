// What users test with `millrace/testing`, in plain JavaScript and without a runner: jest and node:test both run it.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { webhook } from 'millrace/sinks/webhook'
import { memory } from 'millrace/stores/memory'
import { fakeReceiver, recordingSink, testPipeline } from 'millrace/testing'

const order = { source: 'shop', id: '42', type: 'order.placed', data: { total: 120 } }
const isBusy = { outcome: 'retry', reason: 'busy' }

/** Publishes an order to a CRM that is busy for three days, and says how long that took. */
async function threeDaysOfRetries() {
  const crm = recordingSink({ outcomes: ({ attempt }) => (attempt < 10 ? isBusy : undefined) })
  const retry = { attempts: 20, delays: ['8h'], jitter: 0 }
  await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: crm, retry } } })
  const began = { real: performance.now(), virtual: pipeline.clock.now() }
  await pipeline.publish(order)
  await pipeline.clock.advance('3d')
  const realMs = performance.now() - began.real
  const virtualMs = pipeline.clock.now() - began.virtual
  assert.deepEqual(await pipeline.deliveries('crm'), [
    { sequence: 1, id: '42', type: 'order.placed', state: 'delivered', attempts: 10 },
  ])
  return { realMs, virtualMs }
}

export const scenarios = {
  'three days of retries take less than 100 ms': async () => {
    // The first run also loads and compiles code.
    await threeDaysOfRetries()
    const { realMs, virtualMs } = await threeDaysOfRetries()
    assert.equal(virtualMs, 3 * 24 * 3_600_000)
    assert.ok(realMs < 100, `took ${realMs} ms`)
  },

  'a crash between commit and acknowledgement loses nothing and does nothing twice': async () => {
    const crm = recordingSink()
    await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: crm } } })
    pipeline.crashAt('after-commit-before-ack')
    await assert.rejects(pipeline.publish(order), { code: 'store-indeterminate' })
    await pipeline.restart()
    await pipeline.idle()
    assert.deepEqual(crm.sequences, [1])
    const again = await pipeline.publish(order)
    assert.equal(again.status, 'duplicate')
    await pipeline.idle()
    assert.deepEqual(crm.sequences, [1])
    assert.equal((await pipeline.events()).length, 1)
  },

  'a receiver of webhooks fails in its own ways and gets one signed message': async () => {
    const secret = 'whsec_ZXhhbXBsZS1zZWNyZXQtb2YtbWlsbHJhY2UtZG9jcyE='
    await using receiver = await fakeReceiver([500, 'timeout', 'reset', 200], { secret })
    const crm = webhook({ url: receiver.url, secret })
    await using pipeline = await testPipeline({ store: memory(), subscriptions: { crm: { sink: crm } } })
    await pipeline.publish(order)
    await pipeline.clock.advance('3d')
    assert.equal(receiver.received.length, 4)
    assert.ok(receiver.received.every(({ isVerified }) => isVerified))
    assert.equal(new Set(receiver.received.map(({ messageId }) => messageId)).size, 1)
    const { deliveries } = await pipeline.explain(1)
    assert.equal(deliveries[0]?.attempts[0]?.reason, 'status 500')
  },

  'a configuration file runs as it is, with its stage': async () => {
    await using pipeline = await testPipeline(join(import.meta.dirname, 'millrace.yaml'))
    await pipeline.publish(order)
    await pipeline.idle()
    const told = pipeline.sink('crm').received.map(({ event }) => event.type)
    assert.deepEqual(told, ['order.placed', 'invoice.due'])
    assert.deepEqual(
      (await pipeline.derived('billing')).map(({ data }) => data),
      [{ total: 120 }],
    )
  },
}
