import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import type { Delivery } from '../plugin/sink.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { type Answer, engineWith, event, policy, type Spec } from './engine-fixture.test-support.ts'

const minute = 60_000
const startMs = createVirtualPlatform().clock.now()
const at = (minutes: number) => new Date(startMs + minutes * minute)

async function open(subscriptions: readonly Spec[], platform = createVirtualPlatform({ startMs })) {
  const store = await memory().declaration.open({}, { directory: '.', platform })
  return { platform, ...(await engineWith(subscriptions, store, true, { platform })) }
}
const ids = (deliveries: readonly Delivery[] | undefined) => deliveries?.map(({ event: { id } }) => id)

/** Every event is in its books once, and the store agrees. */
async function books(engine: Awaited<ReturnType<typeof engineWith>>['engine']) {
  const report = await engine.audit()
  expect(report.problems).toEqual([])
  return report.subscriptions[0]!.books
}

test('an event is stored at once and delivered no earlier than its notBefore, and it says so on its way', async () => {
  const { platform, engine, received } = await open([{ policy: policy('s') }])
  await engine.publish([event(1, { notBefore: at(5) }), event(2), event(3, { notBefore: at(-5) })])
  await platform.advance(5 * minute - 1)
  expect(ids(received.get('s'))).toEqual(['e2', 'e3'])
  expect(await books(engine)).toMatchObject({ delivered: 2, open: 1 })
  await platform.advance(1)
  expect(ids(received.get('s'))).toEqual(['e2', 'e3', 'e1'])
  expect(received.get('s')![2]!.event.meta).toEqual({ notbefore: at(5).toISOString() })
  expect(await books(engine)).toMatchObject({ delivered: 3, open: 0 })
  await engine.stop()
})

test('until then explain says that it waits, and why', async () => {
  const { platform, engine } = await open([{ policy: policy('s') }])
  await engine.publish(event(1, { notBefore: at(5) }))
  await platform.advance(minute)
  const time = at(5).toISOString()
  expect((await engine.explain(1)).deliveries).toMatchObject([
    { state: 'waiting', reason: `its notBefore is ${time}`, dueAt: time, next: `attempt 1 at ${time}`, attempts: [] },
  ])
  await engine.stop()
})

test('what waits for its time survives a restart, and is delivered once', async () => {
  const { platform, engine, store } = await open([{ policy: policy('s') }])
  await engine.publish([event(1, { notBefore: at(60) }), event(2)])
  await platform.advance(minute)
  // The memory store keeps what it has while nobody closes it.
  const again = await engineWith([{ policy: policy('s') }], store, true, { platform })
  await platform.advance(58 * minute)
  expect(ids(again.received.get('s'))).toEqual([])
  await platform.advance(minute)
  expect(ids(again.received.get('s'))).toEqual(['e1'])
  expect(await books(again.engine)).toMatchObject({ delivered: 2, open: 0 })
  await again.engine.stop()
})

// G8
test('it does not hold back its key, and takes its place in it when it is due, also after a restart', async () => {
  for (const isRestarted of [false, true]) {
    const release: (() => void)[] = []
    const answer: Answer = ({ event: { id } }) =>
      id === 'e3' ? new Promise<Outcome | undefined>((resolve) => release.push(() => resolve(undefined))) : undefined
    const spec = { policy: policy('s', { ordering: 'key', timeoutMs: 60 * minute }), answer }
    const subject = 'order-1'
    let { platform, engine, received, store } = await open([spec])
    await engine.publish([event(1, { subject, notBefore: at(5) }), event(2, { subject })])
    await platform.advance(minute)
    expect(ids(received.get('s'))).toEqual(['e2'])
    if (isRestarted) ({ engine, received } = await engineWith([spec], store, true, { platform }))
    await engine.publish([event(3, { subject }), event(4, { subject })])
    await platform.advance(6 * minute)
    expect(ids(received.get('s'))!.at(-1)).toBe('e3')
    release[0]!()
    await platform.advance(minute)
    expect(ids(received.get('s'))!.slice(-3)).toEqual(['e3', 'e4', 'e1'])
    expect(await books(engine)).toMatchObject({ delivered: 4, open: 0 })
    await engine.stop()
  }
})

test('one that fails when it is due holds back its key from then on, as any other does', async () => {
  let failures = 2
  const answer: Answer = ({ event: { id } }) =>
    id === 'e1' && failures-- > 0 ? { outcome: 'retry', delayMs: minute } : undefined
  const { platform, engine, received } = await open([{ policy: policy('s', { ordering: 'key' }), answer }])
  const subject = 'order-1'
  await engine.publish(event(1, { subject, notBefore: at(5) }))
  await platform.advance(5 * minute)
  await engine.publish(event(2, { subject }))
  await platform.advance(5 * minute)
  expect(ids(received.get('s'))).toEqual(['e1', 'e1', 'e1', 'e2'])
  await engine.stop()
})

// S0-72
test('its time to live begins when it may be delivered', async () => {
  const ttl = { defaultMs: 10 * minute, types: new Map<string, number>() }
  const { platform, engine, received } = await open([{ policy: policy('s', { ttl }) }])
  await engine.publish([event(1, { notBefore: at(60) }), event(2, { notBefore: at(60) })])
  await platform.advance(60 * minute)
  expect(ids(received.get('s'))).toEqual(['e1', 'e2'])
  await engine.publish(event(3, { notBefore: at(70) }))
  await engine.pause('s')
  await platform.advance(21 * minute)
  await engine.resume('s')
  await platform.advance(minute)
  expect(ids(received.get('s'))).toEqual(['e1', 'e2'])
  expect(await books(engine)).toMatchObject({ delivered: 2, expired: 1 })
  await engine.stop()
})

// G22
test('the latest event of a coalesced key decides: it is due no earlier than its own notBefore', async () => {
  const coalesce = { windowMs: 2000, maxWaitMs: 30_000 }
  const { platform, engine, received } = await open([{ policy: policy('s', { coalesce }) }])
  const subject = 'file-1'
  await engine.publish(event(1, { subject }))
  await engine.publish(event(2, { subject, notBefore: at(5) }))
  await platform.advance(4 * minute)
  expect(ids(received.get('s'))).toEqual([])
  await platform.advance(minute)
  expect(ids(received.get('s'))).toEqual(['e2'])
  await engine.publish(event(3, { subject, notBefore: at(60) }))
  await engine.publish(event(4, { subject }))
  await platform.advance(3000)
  expect(ids(received.get('s'))).toEqual(['e2', 'e4'])
  expect(await books(engine)).toMatchObject({ delivered: 2, superseded: 2, open: 0 })
  await engine.stop()
})

test('a client that fetches batches gets it when it is due', async () => {
  const batches = { leaseMs: 60 * minute, maxWaitMs: 1000, limit: 10 }
  const { platform, engine } = await open([{ policy: policy('s'), batches }])
  await engine.publish([event(1, { notBefore: at(5) }), event(2)])
  await platform.advance(minute)
  const fetched = async () => (await engine.batches('s').fetchBatch())?.events.map(({ id }) => id)
  expect(await fetched()).toEqual(['e2'])
  expect(await fetched()).toBeUndefined()
  await platform.advance(4 * minute + 1)
  expect(await fetched()).toEqual(['e1'])
  await engine.stop()
})

test('a time more than a year ahead is refused by the clock of the pipeline', async () => {
  const { engine } = await open([{ policy: policy('s') }])
  await expect(engine.publish(event(1, { notBefore: at(367 * 24 * 60) }))).rejects.toThrow('more than a year ahead')
  expect(await engine.publish([event(2, { notBefore: at(367 * 24 * 60) })])).toMatchObject([{ status: 'refused' }])
  await engine.stop()
})
