import { memory } from 'millrace/stores/memory'
import { fakeReceiver, recordingSink, scriptedSource, testPipeline } from 'millrace/testing'
import { z } from 'zod'

// Checked by `tsc` alone: each line after an expected error must not compile, or the check of types fails.

const events = { 'order.placed': z.object({ total: z.number() }), 'user.joined': z.object({ name: z.string() }) }
const store = memory()

export async function declared(): Promise<void> {
  const crm = recordingSink()
  await using pipeline = await testPipeline({
    store,
    events,
    subscriptions: { crm: { match: ['order.*'], sink: crm } },
  })
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: { total: 5 } })
  // @ts-expect-error data of another type
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: { name: 'Ada' } })
  // @ts-expect-error a type that is not declared
  await pipeline.publish([{ source: 'shop', id: '1', type: 'order.lost', data: {} }])
  for (const event of await pipeline.events()) {
    if (event.type === 'order.placed') void (event.data.total + 1)
    // @ts-expect-error this one has a name
    if (event.type === 'user.joined') void event.data.total
  }
  const [derived] = await pipeline.derived('crm')
  if (derived?.type === 'user.joined') void derived.data.name.length
  const [delivery] = await pipeline.deliveries('crm')
  const state: string | undefined = delivery?.state
  void state
  await pipeline.clock.advance('3d')
  // @ts-expect-error a duration is text with a unit
  await pipeline.clock.advance(3)
  // @ts-expect-error a point that there is not
  pipeline.crashAt('after-lunch')
  // @ts-expect-error a failure that there is not
  pipeline.failStore('out of paper')
  // @ts-expect-error a pattern that no declared type fits
  await testPipeline({ store, events, subscriptions: { crm: { match: ['oder.*'] } } })
}

export async function undeclared(): Promise<void> {
  await using pipeline = await testPipeline('millrace.yaml', {
    sinks: { crm: recordingSink() },
    sources: { inbox: scriptedSource() },
    env: { CRM_URL: 'https://crm.example' },
  })
  await pipeline.publish({ source: 'shop', id: '1', type: 'what.ever' })
  // @ts-expect-error a source is no sink
  await testPipeline('millrace.yaml', { sinks: { crm: scriptedSource() } })
}

export async function receivers(): Promise<void> {
  await using receiver = await fakeReceiver([500, { status: 429, headers: { 'retry-after': '30' } }, 'timeout', 200])
  const verified: boolean | undefined = (await receiver.request(1)).isVerified
  void verified
  // @ts-expect-error an answer that there is not
  receiver.answer('explode')
}
