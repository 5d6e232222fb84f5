import { expect, test } from 'vitest'
import { webhook } from '../sources/webhook.ts'
import { openTestServer, order } from './server.test-support.ts'

// SEC-16
test('an event keeps the number of pipelines that its request tells, by every door', async () => {
  const secret = 'a-secret-agreed-on-42'
  const sources = { code: webhook({ scheme: 'bearer', secret }) }
  const { publish, call } = await openTestServer({ sources })
  const hops = { 'millrace-hops': '3' }
  await publish(order('plain'), 'application/json', hops)
  const structured = { ...order('structured'), specversion: '1.0', millracehops: 2 }
  await publish(structured, 'application/cloudevents+json', hops)
  const attributes = { 'ce-specversion': '1.0', 'ce-id': 'binary', 'ce-source': 'shop', 'ce-type': 'order.placed' }
  await publish('{}', 'application/json', { ...hops, ...attributes })
  await call('/in/code', {
    method: 'POST',
    body: '{"type":"pushed"}',
    headers: { ...hops, 'content-type': 'application/json', authorization: `Bearer ${secret}` },
  })
  await publish([order('batch-1'), order('batch-2', { meta: { millracehops: 4 } })], 'application/json', hops)
  const lines = `${JSON.stringify(order('line-1'))}\n{\n${JSON.stringify(order('line-2'))}\n`
  await (await publish(lines, 'application/x-ndjson', hops)).text()
  await publish(order('direct'))
  const { events } = (await (await call('/v1/events')).json()) as { events: { id: string; millracehops?: number }[] }
  expect(events.map(({ millracehops }) => millracehops)).toEqual([3, 3, 3, 3, 3, 4, 3, 3, undefined])
})

// SEC-16
test('an event that comes back is the one that is stored already', async () => {
  const { publish } = await openTestServer()
  expect((await publish(order('1'))).status).toBe(201)
  const again = await publish(order('1'), 'application/json', { 'millrace-hops': '1' })
  expect(again.status).toBe(200)
})
