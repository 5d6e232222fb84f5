import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import type { SubscriptionPolicy } from '../core/plan.ts'
import type { Delivery } from '../plugin/sink.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { engineWith, event, events, policy, type Spec } from './engine-fixture.test-support.ts'

/**
 * A subscription whose calls, of its sink or a stage, ignore their signal and end when the test says so: `calls` are those
 * begun, in order.
 */
async function stuck(change: Partial<SubscriptionPolicy> = {}, where: 'sink' | 'stage' = 'sink') {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const calls: { readonly id: string; readonly attempt: number; end(outcome?: Outcome): void }[] = []
  const answer = ({ event: { id }, attempt }: Pick<Delivery, 'event' | 'attempt'>): Promise<Outcome | undefined> =>
    new Promise((resolve) => calls.push({ id, attempt, end: resolve }))
  const p = policy('s', change)
  const subscription: Spec =
    where === 'sink' ? { policy: p, answer } : { policy: p, stages: { slow: answer }, stageConcurrency: 2 }
  const { engine } = await engineWith([subscription], store, true, { platform })
  return {
    platform,
    engine,
    calls,
    ran: () => calls.map(({ id, attempt }) => `${id} ${attempt}`),
    async explain() {
      const explained = engine.explain(1)
      await platform.advance(100)
      return (await explained)!.deliveries[0]!
    },
    async end() {
      for (const { end } of calls) end()
      const stopping = engine.stop({ deadline: '1s' })
      for (let i = 0; i < 100; i++) await platform.advance(50)
      await stopping
    },
  }
}

// S3-20 G33
test('a sink that ignores its signal has a second; then its attempt ends as a retry and is made again beside it', async () => {
  const { platform, engine, calls, ran, explain, end } = await stuck()
  await engine.publish(event(1))
  await platform.advance(1900)
  expect(ran()).toEqual(['e1 1'])
  await platform.advance(200)
  expect(ran()).toEqual(['e1 1', 'e1 2'])
  expect((await explain()).attempts).toMatchObject([{ outcome: 'retry', reason: 'timed out after 1000 ms' }])
  calls[0]!.end({ outcome: 'reject', reason: 'late' })
  await platform.advance(100)
  expect((await explain()).state).not.toBe('dead')
  calls[1]!.end()
  await platform.advance(100)
  expect(await explain()).toMatchObject({ state: 'delivered', attemptCount: 2 })
  await end()
})

test('a call that ends within the second after its signal says itself how it ended', async () => {
  const { platform, engine, calls, ran, explain, end } = await stuck()
  await engine.publish(event(1))
  await platform.advance(1900)
  calls[0]!.end()
  await platform.advance(1000)
  expect(ran()).toEqual(['e1 1'])
  expect(await explain()).toMatchObject({ state: 'delivered', attemptCount: 1 })
  await end()
})

test('calls that go on keep their places: a far side that is stuck never has more of them than the concurrency', async () => {
  const { platform, engine, calls, ran, end } = await stuck({ concurrency: 2 })
  await engine.publish(events(5))
  await platform.advance(60_000)
  expect(ran()).toEqual(['e0 1', 'e1 1'])
  expect((await engine.health()).problems).toEqual(['subscription s has 2 attempts that ignore their timeout'])
  calls[0]!.end()
  await platform.advance(100)
  expect(ran()).toHaveLength(3)
  expect((await engine.health()).problems).toEqual(['subscription s has 1 attempts that ignore their timeout'])
  await end()
})

// G16
test('where deliveries of a key follow each other, none begins while a call of the key goes on; other keys do', async () => {
  for (const ordering of ['key', 'strict'] as const) {
    const { platform, engine, calls, ran, explain, end } = await stuck({
      ordering,
      retry: { ...policy('x').retry, attempts: 1 },
    })
    await engine.publish([event(1, { subject: 'a' }), event(2, { subject: 'a' }), event(3, { subject: 'b' })])
    await platform.advance(3000)
    expect((await explain()).state).toBe('dead')
    expect(ran()).toEqual(ordering === 'key' ? ['e1 1', 'e3 1'] : ['e1 1'])
    calls[0]!.end()
    await platform.advance(100)
    expect(ran()).toContain('e2 1')
    await end()
  }
})

test('nor does the next attempt of the same delivery, where the key is its own', async () => {
  const { platform, engine, calls, ran, explain, end } = await stuck({ ordering: 'key' })
  await engine.publish(event(1, { subject: 'a' }))
  await platform.advance(10_000)
  expect(ran()).toEqual(['e1 1'])
  expect(await explain()).toMatchObject({ attemptCount: 1, reason: 'timed out after 1000 ms' })
  calls[0]!.end()
  await platform.advance(100)
  expect(ran()).toEqual(['e1 1', 'e1 2'])
  await end()
})

test('a stage that ignores its signal times out, and what it answers late changes nothing', async () => {
  const { platform, engine, calls, ran, explain, end } = await stuck({}, 'stage')
  await engine.publish(events(3))
  await platform.advance(2100)
  expect((await explain()).attempts).toMatchObject([{ step: 'slow', outcome: 'retry', reason: 'stage slow timed out' }])
  await platform.advance(60_000)
  expect(ran()).toEqual(['e0 1', 'e1 1'])
  expect(engine.stats().subscriptions['s']!.stages![0]).toMatchObject({ failed: 2, running: 2 })
  calls[0]!.end({ outcome: 'discard', reason: 'late' })
  await platform.advance(100)
  expect(ran()).toHaveLength(3)
  expect((await engine.subscription('s')).counters).toMatchObject({ discarded: 0, delivered: 0 })
  await end()
})

test('a breaker that opened over calls that go on makes its trial beside them', async () => {
  const { platform, engine, calls, ran, end } = await stuck({
    concurrency: 2,
    breaker: { failures: 1, openMs: 10_000, disableAfterMs: undefined },
  })
  await engine.publish(event(1))
  await platform.advance(2100)
  expect(ran()).toEqual(['e1 1'])
  await platform.advance(10_000)
  expect(ran()).toEqual(['e1 1', 'e1 2'])
  calls[1]!.end()
  await platform.advance(100)
  expect((await engine.subscription('s')).counters.delivered).toBe(1)
  await end()
})

test('a test of a sink that ignores its signal is answered, too', async () => {
  const { platform, engine, calls, end } = await stuck()
  const testing = engine.testDelivery('s')
  await platform.advance(2100)
  expect(await testing).toMatchObject({ outcome: 'retry', reason: 'timed out after 1000 ms', durationMs: 2000 })
  expect((await engine.health()).problems).toHaveLength(1)
  calls[0]!.end()
  await platform.advance(10)
  expect((await engine.health()).problems).toEqual([])
  await end()
})

// G32
test('a stop waits for attempts, and not for calls whose attempts are over', async () => {
  for (const where of ['sink', 'stage'] as const) {
    const { platform, engine, calls } = await stuck({}, where)
    await engine.publish(event(1))
    await platform.advance(2100)
    let hasStopped = false
    const stopping = engine.stop({ deadline: '1h' }).then(() => {
      hasStopped = true
    })
    // The second attempt is under way, and is given its time.
    await platform.advance(500)
    expect(hasStopped).toBe(false)
    await platform.advance(3000)
    expect(hasStopped).toBe(true)
    await stopping
    for (const { end } of calls) end()
    await platform.advance(100)
  }
})
