import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, events, policy, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })

test('stages run in order, see the context of the one before, and the sink gets what they made of the event', async () => {
  // S1-17 S1-28 S1-31 S1-65
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('s'),
        stages: {
          first: ({ context }) => ({
            outcome: 'ack',
            context: { ...context, tier: 'gold' },
            event: { data: { total: 2 } },
          }),
          second: ({ context, event: e }) => ({
            outcome: 'ack',
            context: { ...context, total: (e.data as { total: number }).total },
          }),
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(event(1))
  await engine.idle()
  const [delivery] = received.get('s')!
  expect(delivery!.context).toEqual({ tier: 'gold', total: 2 })
  expect(delivery!.event.data).toEqual({ total: 2 })
  expect([delivery!.event.sequence, delivery!.event.id]).toEqual([1, 'e1'])
  expect((await engine.audit()).ok).toBe(true)
  await engine.stop()
})

test('a stage that throws is tried again by itself; finished stages are skipped; the pipeline goes on', async () => {
  // S1-25 S1-68 S3-22
  const ran: string[] = []
  let failures = 2
  const { engine } = await engineWith(
    [
      {
        policy: policy('s'),
        hasSink: false,
        stages: {
          first: ({ event: e }) => void ran.push(`first ${e.id}`),
          second: ({ event: e, attempt }) => {
            ran.push(`second ${e.id} ${attempt}`)
            if (e.id === 'e0' && failures-- > 0) throw new Error('boom')
          },
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(2))
  await until(async () => (await engine.subscription('s')).counters.delivered === 2)
  expect(ran.filter((line) => line.includes('e0'))).toEqual(['first e0', 'second e0 1', 'second e0 2', 'second e0 3'])
  const explained = await engine.explain(1)
  expect(explained.deliveries[0]!.attempts[0]).toMatchObject({
    step: 'second',
    outcome: 'retry',
    reason: 'stage second threw: boom',
  })
  expect((await engine.audit()).ok).toBe(true)
  await engine.stop()
})

test('thousands that a stage discards at once take one line of history, and each says who discarded it and why', async () => {
  const store = await openMemory()
  const { engine } = await engineWith(
    [
      {
        policy: policy('s'),
        hasSink: false,
        stages: {
          pass: () => ({ outcome: 'ack' }),
          drop: ({ attempt, event: e }) =>
            e.id === 'e7' && attempt === 1 ? { outcome: 'retry' } : { outcome: 'discard', reason: 'test' },
        },
      },
    ],
    store,
  )
  await engine.publish(events(2000))
  await until(async () => (await engine.subscription('s')).counters.discarded === 2000)
  const explained = await engine.explain(5)
  expect(explained.deliveries[0]).toMatchObject({ state: 'discarded', reason: 'test', attemptCount: 2 })
  expect(explained.deliveries[0]!.attempts).toEqual([
    { at: expect.any(Number), durationMs: expect.any(Number), step: 'drop', outcome: 'discard', reason: 'test' },
  ])
  // One that was tried before keeps a record of each attempt.
  expect((await engine.explain(8)).deliveries[0]!.attempts).toMatchObject([
    { outcome: 'retry' },
    { outcome: 'discard' },
  ])
  const { rows } = await store.history('s', { limit: 10_000 })
  expect(JSON.stringify(rows).length).toBeLessThan(20_000)
  await engine.stop()
})

test('discard settles as discarded with the reason, reject is dead at once', async () => {
  // S1-24
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('s'),
        stages: { decide: ({ event: e }) => ({ outcome: e.id === 'e0' ? 'discard' : 'reject', reason: 'because' }) },
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(2))
  await engine.idle()
  expect(received.get('s')).toEqual([])
  expect((await engine.subscription('s')).counters).toMatchObject({ discarded: 1, dead: 1, delivered: 0 })
  expect((await engine.explain(1)).deliveries[0]).toMatchObject({ state: 'discarded', reason: 'because' })
  await engine.stop()
})

test('after a kill the next stage runs with the context as committed, and earlier stages do not run again', async () => {
  // K6 S1-30
  const store = await openMemory()
  const ran: string[] = []
  let isStuck = true
  const spec = {
    policy: policy('s'),
    hasSink: false,
    stages: {
      first: () => {
        ran.push('first')
        return { outcome: 'ack' as const, context: { n: 1 } }
      },
      second: ({ context }: { context: unknown }) => {
        ran.push(`second ${JSON.stringify(context)}`)
        return isStuck ? new Promise<undefined>(() => undefined) : undefined
      },
    },
  }
  const killed = await engineWith([spec], store)
  await killed.engine.publish(event(1))
  await until(() => ran.length === 2)
  isStuck = false
  const { engine } = await engineWith([spec], store)
  await until(async () => (await engine.subscription('s')).counters.delivered === 1)
  expect(ran).toEqual(['first', 'second {"n":1}', 'second {"n":1}'])
  await engine.stop()
})

test('derived events are appended once, with the step that made them, and are not seen by their own subscription', async () => {
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('maker'),
        hasSink: false,
        stages: { make: () => ({ outcome: 'ack', derive: [{ type: 'order.checked', data: { ok: true } }] }) },
      },
      { policy: policy('taker', { match: ['order.checked'] }) },
    ],
    await openMemory(),
  )
  await engine.publish(event(1))
  await until(() => received.get('taker')!.length === 1)
  await engine.idle()
  expect(received.get('taker')![0]!.event).toMatchObject({ source: 'millrace:/maker', id: 'e1/make/0', sequence: 2 })
  expect(await engine.subscription('maker')).toMatchObject({ counters: { delivered: 1, filtered: 1 } })
  await engine.stop()
})

// SEC-16
test('what a stage derives or changes has come through as many pipelines as the event it was made of', async () => {
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('maker', { match: ['tick'] }),
        stages: {
          make: () => ({
            outcome: 'ack',
            event: { meta: { other: true } },
            derive: [{ type: 'made' }, { type: 'made', meta: { millracehops: 1, tenant: 'a' } }],
          }),
        },
      },
      { policy: policy('taker', { match: ['made'] }) },
    ],
    await openMemory(),
  )
  await engine.publish({ source: 'shop', id: '1', type: 'tick', meta: { millracehops: 3 } })
  await engine.publish({ source: 'shop', id: '2', type: 'tick' })
  await until(() => received.get('taker')!.length === 4)
  await until(() => received.get('maker')!.length === 2)
  expect(received.get('taker')!.map(({ event: { id, meta } }) => [id, meta])).toEqual([
    ['1/make/0', { millracehops: 3 }],
    ['1/make/1', { tenant: 'a', millracehops: 3 }],
    ['2/make/0', {}],
    ['2/make/1', { millracehops: 1, tenant: 'a' }],
  ])
  expect(received.get('maker')!.map(({ event: { meta } }) => meta)).toEqual([
    { other: true, millracehops: 3 },
    { other: true },
  ])
  await engine.stop()
})

test('a stage never runs more at once than its concurrency says', async () => {
  // S1-19
  let active = 0
  let most = 0
  const work = async () => {
    active += 1
    most = Math.max(most, active)
    await new Promise((resolve) => setImmediate(resolve))
    active -= 1
  }
  const { engine } = await engineWith(
    [{ policy: policy('s', { concurrency: 16 }), hasSink: false, stages: { work }, stageConcurrency: 3 }],
    await openMemory(),
  )
  await engine.publish(events(50))
  await until(async () => (await engine.subscription('s')).counters.delivered === 50)
  expect(most).toBe(3)
  await engine.stop()
})
