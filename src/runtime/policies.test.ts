import { describe, expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { type Answer, engineWith, event, events, policy } from './engine-fixture.test-support.ts'

async function virtual(change: Parameters<typeof policy>[1], answer?: Answer) {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const specs = [
    { policy: policy('s', change), ...(answer && { answer }) },
    { policy: policy('trouble', { match: ['millrace.*'] }) },
  ]
  return { platform, ...(await engineWith(specs, store, true, { platform })) }
}

describe('where', () => {
  const where = {
    text: 'data.i > 2',
    test: ({ data }: { data: unknown }) => (data as { i: number }).i > 2,
    explain: () => 'data.i > 2 was false',
  }

  test('what it refuses is filtered, with the reason', async () => {
    const { platform, engine, received } = await virtual({ where })
    await engine.publish(events(5))
    await platform.advance(100)
    expect(received.get('s')!.map(({ event: { id } }) => id)).toEqual(['e3', 'e4'])
    expect(await engine.subscription('s')).toMatchObject({ counters: { filtered: 3, delivered: 2 } })
    const [told] = (await engine.explain(1, 's')).deliveries
    expect(told).toMatchObject({ state: 'filtered', reason: 'where data.i > 2 did not match: data.i > 2 was false' })
  })
})

// S0-72
describe('time to live', () => {
  const ttl = { defaultMs: 60_000, types: new Map([['slow.*', 1e9]]) }

  test('what is too old when its turn comes is expired, counted and explained', async () => {
    const { platform, engine, received } = await virtual({ ttl })
    await engine.pause('s')
    await engine.publish([event(1), event(2, { type: 'slow.one' })])
    await platform.advance(61_000)
    await engine.resume('s')
    await platform.advance(100)
    expect(received.get('s')!.map(({ event: { id } }) => id)).toEqual(['e2'])
    expect(await engine.subscription('s')).toMatchObject({ open: 0, counters: { expired: 1, delivered: 1 } })
    const [told] = (await engine.explain(1, 's')).deliveries
    expect(told).toMatchObject({ state: 'expired', reason: 'older than its time to live of 1m' })
    expect((await engine.audit()).problems).toEqual([])
  })

  test('a retry that would come too late expires at its end, not later', async () => {
    let attempts = 0
    const { platform, engine } = await virtual({ ttl, retry: { ...policy('x').retry, delaysMs: [3_600_000] } }, () => {
      attempts += 1
      return { outcome: 'retry' }
    })
    await engine.publish(event(1))
    await platform.advance(61_000)
    expect(attempts).toBe(1)
    expect(await engine.subscription('s')).toMatchObject({ open: 0, counters: { expired: 1 } })
  })

  test('a redriven delivery is made whatever its age', async () => {
    const outcomes: Outcome[] = [{ outcome: 'reject' }]
    const { platform, engine, received } = await virtual({ ttl }, () => outcomes.shift())
    await engine.publish(event(1))
    await platform.advance(100_000)
    await engine.redrive('s', { all: true })
    await platform.advance(100)
    expect(received.get('s')!.length).toBe(2)
    expect(await engine.subscription('s')).toMatchObject({ counters: { delivered: 1, expired: 0 } })
  })
})

test('a rate lets a burst of a tenth of a second go, and then its pace', async () => {
  const { platform, engine, received } = await virtual({ rate: { perSecond: 50, count: 50, windowMs: 1000 } })
  const began = platform.clock.now()
  const at: number[] = []
  await engine.publish(events(60))
  for (let i = 0; i < 300; i++) {
    await platform.advance(10)
    while (at.length < received.get('s')!.length) at.push(platform.clock.now() - began)
  }
  expect(at.length).toBe(60)
  expect(at.filter((ms) => ms <= 1000).length).toBeGreaterThanOrEqual(50)
  expect(at.filter((ms) => ms <= 1000).length).toBeLessThanOrEqual(56)
})

test('a payload of its own is what sinks find as body', async () => {
  const { platform, engine, received } = await virtual({
    payload: { kind: 'template', template: { order: '#root.id', n: '#root.data.i' } },
  })
  await engine.publish(event(7))
  await platform.advance(100)
  expect(received.get('s')![0]!.body).toBe('{"order":"e7","n":7}')
})

// G18
describe('the circuit breaker', () => {
  const breaker = { failures: 3, openMs: 30_000, disableAfterMs: 3_600_000 }

  test('that is open is in what explain says of deliveries that wait: nothing is tried before it lets them', async () => {
    const { platform, engine } = await virtual(
      {
        breaker: { ...breaker, failures: 1 },
        retry: { ...policy('x').retry, delaysMs: [5], attempts: 99 },
        concurrency: 1,
      },
      () => ({ outcome: 'retry', reason: 'down' }),
    )
    await engine.publish(events(2))
    await platform.advance(1000)
    const { breaker: shown } = await engine.subscription('s')
    const until = new Date(shown!.openUntil!).toISOString()
    const told = async (sequence: number) => {
      const explained = engine.explain(sequence, 's')
      await platform.advance(100)
      return (await explained).deliveries[0]!
    }
    expect(await told(1)).toMatchObject({
      state: 'waiting',
      dueAt: until,
      next: `attempt 2 no earlier than ${until}: the circuit breaker of s is open until then`,
    })
    for (const n of [9, 10, 11]) await engine.publish(event(n))
    expect(await told(4)).toMatchObject({
      state: 'unexamined',
      reason: 'it is the next to be examined',
      next: `nothing before ${until}: the circuit breaker of s is open until then`,
    })
    expect(await told(5)).toMatchObject({ reason: 'one event is examined before it' })
    expect(await told(6)).toMatchObject({ reason: '2 events are examined before it' })
    await engine.stop()
  })
  const retry = { ...policy('x').retry, attempts: 1000, delaysMs: [1000] }
  const down: Outcome = { outcome: 'retry', reason: '503' }

  test('open, it tries nothing and examines nothing; one trial closes it, and everything is delivered', async () => {
    let isDown = true
    let attempts = 0
    const { platform, engine, received } = await virtual({ breaker, retry, concurrency: 1 }, () => {
      attempts += 1
      return isDown ? down : undefined
    })
    await engine.publish(events(3))
    await platform.advance(5000)
    expect(attempts).toBe(3)
    await engine.publish(events(200).map((one, i) => ({ ...one, id: `later${i}` })))
    await platform.advance(20_000)
    expect(attempts).toBe(3)
    const status = await engine.subscription('s')
    expect(status).toMatchObject({ state: 'running', breaker: { state: 'open', failures: 3 } })
    expect(status.lag).toBeGreaterThanOrEqual(200)
    expect(status.open).toBe(3)
    await platform.advance(6000)
    expect(attempts).toBe(4)
    isDown = false
    await platform.advance(60_000)
    expect(await engine.subscription('s')).toMatchObject({
      counters: { delivered: 203, dead: 0 },
      breaker: { state: 'closed', failures: 0 },
    })
    expect(
      received.get('trouble')!.map(({ event: { type, data } }) => [type, (data as { state: string }).state]),
    ).toEqual([
      ['millrace.breaker', 'open'],
      ['millrace.breaker', 'closed'],
    ])
    expect((await engine.audit()).problems).toEqual([])
  })

  test('is tried again also when the wall clock was set back', async () => {
    let attempts = 0
    const { platform, engine } = await virtual({ breaker, retry, concurrency: 1 }, () => {
      attempts += 1
      return down
    })
    await engine.publish(event(1))
    await platform.advance(6000)
    expect(attempts).toBe(3)
    platform.moveWallClock(-3000)
    await platform.advance(29_000)
    expect(attempts).toBe(4)
  })

  test('is tried again also when its timer comes a moment before its clock says so', async () => {
    let attempts = 0
    const platform = createVirtualPlatform()
    const early = {
      ...platform,
      after: (ms: number, task: () => void) => platform.after(ms > 10_000 ? ms - 0.5 : ms, task),
    }
    const store = await memory().declaration.open({}, { directory: '.', platform })
    const answer: Answer = () => {
      attempts += 1
      return down
    }
    const { engine } = await engineWith([{ policy: policy('s', { breaker, retry }), answer }], store, true, {
      platform: early,
    })
    await engine.publish(event(1))
    await platform.advance(60_000)
    expect(attempts).toBeGreaterThanOrEqual(4)
  })

  test('after an outage it takes up its pace step by step', async () => {
    let isDown = true
    let active = 0
    const most: number[] = []
    const { platform, engine } = await virtual({ breaker, retry, concurrency: 8, timeoutMs: 1e9 }, async () => {
      if (isDown) return down
      active += 1
      most.push(active)
      await new Promise<void>((resolve) => platform.after(100, resolve))
      active -= 1
      return undefined
    })
    await engine.publish(events(40))
    await platform.advance(2000)
    isDown = false
    await platform.advance(60_000)
    expect(Math.max(...most.slice(0, 2))).toBe(1)
    expect(Math.max(...most.slice(0, 5))).toBeLessThanOrEqual(2)
    expect(Math.max(...most)).toBe(8)
    expect(await engine.subscription('s')).toMatchObject({ counters: { delivered: 40 } })
  })

  test('a rejected delivery is no failure of the far side', async () => {
    const { platform, engine } = await virtual({ breaker, retry }, () => ({ outcome: 'reject', reason: '404' }))
    await engine.publish(events(20))
    await platform.advance(1000)
    expect(await engine.subscription('s')).toMatchObject({ counters: { dead: 20 }, breaker: { state: 'closed' } })
  })

  test('without any success for long enough the subscription is disabled, and an event says so', async () => {
    const { platform, engine, received } = await virtual({ breaker, retry }, () => down)
    await engine.publish(events(5))
    await platform.advance(3_700_000)
    expect(await engine.subscription('s')).toMatchObject({
      state: 'disabled',
      reason: 'no attempt has succeeded for 1h',
      open: 5,
    })
    expect(received.get('trouble')!.map(({ event: { type } }) => type)).toEqual([
      'millrace.breaker',
      'millrace.disabled',
    ])
    await engine.resume('s')
    expect(await engine.subscription('s')).toMatchObject({ state: 'running', breaker: { state: 'closed' } })
  })
})

// G20
test('the death of news about the engine is no news: who watches for trouble and fails does not feed itself', async () => {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const reject: Answer = () => ({ outcome: 'reject', reason: 'no' })
  const specs = [
    { policy: policy('s'), answer: reject },
    { policy: policy('trouble', { match: ['millrace.*'] }), answer: reject },
    { policy: policy('halting', { onFailure: 'halt' }), answer: reject },
  ]
  const { engine } = await engineWith(specs, store, true, { platform })
  await engine.publish(event(1))
  await platform.advance(10_000)
  // Two deaths and a halt are told; the three deaths of that news are dead letters and nothing more.
  const { events: told } = await engine.store.query({ type: ['millrace.*'], limit: 100 })
  expect(told.map(({ type }) => type).sort()).toEqual(['millrace.dead', 'millrace.dead', 'millrace.halted'])
  expect(await engine.subscription('trouble')).toMatchObject({ counters: { dead: 3 } })
})
