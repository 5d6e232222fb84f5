import { describe, expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import { nodePlatform } from '../plugin/platform.ts'
import { memory } from '../stores/memory.ts'
import { engineWith as engineOn, event, events, policy, type Spec, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })
const engineWith = async (subscriptions: readonly Spec[]) => engineOn(subscriptions, await openMemory())

describe('engine', () => {
  test('every published event is delivered once to each matching subscription, and the books balance', async () => {
    // S0-16 S0-22 S3-12 G14
    const { engine, received } = await engineWith([
      { policy: policy('all') },
      { policy: policy('orders', { match: ['order.*'] }) },
      { policy: policy('none', { match: [] }) },
    ])
    await engine.publish(events(500))
    await engine.publish(event(1000, { type: 'customer.updated' }))
    await engine.idle()
    expect(received.get('all')!.length).toBe(501)
    expect(received.get('orders')!.length).toBe(500)
    expect(received.get('none')!.length).toBe(0)
    const report = await engine.audit()
    expect(report.problems).toEqual([])
    expect(report.subscriptions.map(({ name, ok, books }) => [name, ok, books.delivered, books.filtered])).toEqual([
      ['all', true, 501, 0],
      ['none', true, 0, 501],
      ['orders', true, 500, 1],
    ])
    await engine.stop()
  })

  test('a duplicate is not delivered again', async () => {
    // S0-15 S0-10
    const { engine, received } = await engineWith([{ policy: policy('all') }])
    expect((await engine.publish(event(1))).status).toBe('stored')
    expect((await engine.publish(event(1))).status).toBe('duplicate')
    expect((await engine.publish(event(1, { data: { other: 1 } }))).status).toBe('conflict')
    await engine.idle()
    expect(received.get('all')!.length).toBe(1)
    await engine.stop()
  })

  test('an event under the name of the engine is refused, and so is one of its types', async () => {
    const { engine } = await engineWith([])
    await expect(engine.publish(event(1, { source: 'millrace:/orders' }))).rejects.toMatchObject({
      code: 'event-invalid',
    })
    const [forged, reserved, fine] = await engine.publish([
      event(1, { source: 'millrace:/orders' }),
      event(2, { type: 'millrace.dead' }),
      event(3),
    ])
    expect([forged!.error!.code, reserved!.error!.code, fine!.status]).toEqual([
      'source-forbidden',
      'type-reserved',
      'stored',
    ])
    await engine.stop()
  })

  test('a failing delivery is retried, then dead with its reason, and can be redriven', async () => {
    // S0-81 S3-15 S3-16 G20
    let broken = true
    const { engine, received } = await engineWith([
      { policy: policy('all'), answer: () => (broken ? { outcome: 'retry', reason: 'down' } : undefined) },
    ])
    await engine.publish(event(1))
    await until(async () => (await engine.subscription('all')).counters.dead === 1)
    expect(received.get('all')!.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    const [dead] = await engine.dead('all', { limit: 10 })
    expect(dead).toMatchObject({ sequence: 1, reason: 'gave up after 3 attempts: down' })
    expect(dead!.attempts.length).toBe(3)
    const explained = await engine.explain(1)
    expect(explained.deliveries[0]).toMatchObject({ state: 'dead' })
    broken = false
    expect(await engine.redrive('all', { all: true })).toEqual({ redriven: 1 })
    await until(async () => (await engine.subscription('all')).counters.delivered === 1)
    expect((await engine.audit()).ok).toBe(true)
    expect((await engine.explain(1)).deliveries[0]).toMatchObject({ state: 'delivered' })
    await engine.stop()
  })

  test('one failing event holds back only its own key, and the order within the key stays', async () => {
    // G8 G16
    let failures = 2
    const { engine, received } = await engineWith([
      {
        policy: policy('keyed', { ordering: 'key' }),
        answer: ({ event: e }) => (e.id === 'a1' && failures-- > 0 ? { outcome: 'retry' } : undefined),
      },
    ])
    const ids = ['a1', 'a2', 'b1', 'a3', 'b2']
    await engine.publish(ids.map((id) => event(0, { id, subject: id[0]! })))
    await until(async () => (await engine.subscription('keyed')).counters.delivered === 5)
    const order = received.get('keyed')!.map(({ event: e }) => e.id)
    expect(order.filter((id) => id.startsWith('b'))).toEqual(['b1', 'b2'])
    expect(order.filter((id) => id.startsWith('a'))).toEqual(['a1', 'a1', 'a1', 'a2', 'a3'])
    expect(order.indexOf('b2')).toBeLessThan(order.indexOf('a2'))
    expect((await engine.audit()).ok).toBe(true)
    await engine.stop()
  })

  test('park keeps the key waiting behind a dead event until it is redriven', async () => {
    // G16
    let broken = true
    const { engine, received } = await engineWith([
      {
        policy: policy('keyed', { ordering: 'key', onFailure: 'park' }),
        answer: ({ event: e }) => (e.id === 'a1' && broken ? { outcome: 'reject', reason: 'bad' } : undefined),
      },
    ])
    await engine.publish(['a1', 'a2', 'a3', 'b1'].map((id) => event(0, { id, subject: id[0]! })))
    await until(async () => (await engine.subscription('keyed')).counters.delivered === 1)
    const parked = await engine.subscription('keyed')
    expect([parked.counters.dead, parked.open]).toEqual([1, 2])
    broken = false
    await engine.redrive('keyed', { sequences: [1] })
    await until(async () => (await engine.subscription('keyed')).counters.delivered === 4)
    expect(received.get('keyed')!.map(({ event: e }) => e.id)).toEqual(['a1', 'b1', 'a1', 'a2', 'a3'])
    expect((await engine.audit()).ok).toBe(true)
    await engine.stop()
  })

  test('strict goes one at a time in log order through a retry', async () => {
    // G16
    let failures = 1
    const { engine, received } = await engineWith([
      {
        policy: policy('strict', { ordering: 'strict' }),
        answer: ({ event: e }) => (e.id === 'e3' && failures-- > 0 ? { outcome: 'retry' } : undefined),
      },
    ])
    await engine.publish(events(200))
    await until(async () => (await engine.subscription('strict')).counters.delivered === 200)
    const order = received.get('strict')!.map(({ event: e }) => e.id)
    expect(order).toEqual(['e0', 'e1', 'e2', 'e3', ...Array.from({ length: 197 }, (_, i) => `e${i + 3}`)])
    await engine.stop()
  })

  test('halt stops the subscription and says why; resume goes on', async () => {
    const { engine } = await engineWith([
      {
        policy: policy('halting', { onFailure: 'halt', concurrency: 1 }),
        answer: ({ event: e }) => (e.id === 'e2' ? { outcome: 'reject', reason: 'poison' } : undefined),
      },
    ])
    await engine.publish(events(10))
    await until(async () => (await engine.subscription('halting')).state === 'halted')
    expect(await engine.subscription('halting')).toMatchObject({ reason: 'event 3 died: poison' })
    await engine.resume('halting')
    await until(async () => (await engine.subscription('halting')).counters.delivered === 9)
    expect((await engine.audit()).ok).toBe(true)
    await engine.stop()
  })

  test('pause keeps the place, resume goes on from it', async () => {
    const { engine, received } = await engineWith([{ policy: policy('all') }])
    await engine.pause('all')
    await engine.publish(events(100))
    expect(await engine.subscription('all')).toMatchObject({ state: 'paused', lag: 100 })
    expect(received.get('all')!.length).toBe(0)
    await engine.resume('all')
    await until(async () => (await engine.subscription('all')).counters.delivered === 100)
    await engine.stop()
  })

  test('a slow subscription lags alone and catches up, beyond its window', async () => {
    // G18 S3-20
    let open: (() => void)[] = []
    let slow = true
    const { engine, received } = await engineWith([
      {
        policy: policy('slow', { window: 8 }),
        answer: () => (slow ? new Promise((resolve) => open.push(() => resolve(undefined))) : undefined),
      },
      { policy: policy('quick') },
    ])
    await engine.publish(events(300))
    await until(() => received.get('quick')!.length === 300)
    expect(received.get('slow')!.length).toBe(4)
    slow = false
    const waiting = open
    open = []
    for (const go of waiting) go()
    await until(async () => (await engine.subscription('slow')).counters.delivered === 300)
    await engine.idle()
    expect((await engine.audit()).ok).toBe(true)
    await engine.stop()
  })

  test('an event given to user code cannot be changed', async () => {
    const problems: unknown[] = []
    const { engine } = await engineWith([
      {
        policy: policy('all'),
        answer: ({ event: e }) => {
          for (const change of [
            () => Object.assign(e.data as object, { i: 9 }),
            () => Object.assign(e, { type: 'x' }),
            () => Object.assign(e.meta, { a: 1 }),
          ]) {
            try {
              change()
              problems.push('a change went through')
            } catch (error) {
              if (!(error instanceof TypeError)) problems.push(error)
            }
          }
          return undefined
        },
      },
    ])
    await engine.publish(event(1))
    await engine.idle()
    expect(problems).toEqual([])
    expect(Object.isFrozen(new Event({ sequence: 1, appendedAt: 0, source: 'a', id: 'b', type: 'c' }))).toBe(true)
    await engine.stop()
  })

  // S3-22 G11
  test('a sink that answers nonsense has failed its attempt, and nothing else', async () => {
    for (const [answer, reason] of [
      [{ ontcome: 'ack' }, 'the sink answered outcome undefined; use ack, retry, discard, reject'],
      [{ outcome: 'reject', detail: 5n }, 'the sink answered a detail that JSON cannot hold'],
      [5, 'the sink answered number as an outcome'],
    ] as const) {
      const { engine } = await engineWith([{ policy: policy('all'), answer: async () => answer as never }])
      await engine.publish(event(1))
      await until(async () => (await engine.subscription('all')).counters.dead === 1)
      expect((await engine.dead('all', { limit: 1 }))[0]).toMatchObject({ error: reason, attemptCount: 3 })
      expect((await engine.audit()).ok).toBe(true)
      await engine.stop()
    }
  })
})
