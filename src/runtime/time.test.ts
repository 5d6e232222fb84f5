import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import { standardWebhooksRetry } from '../core/retry.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { type Answer, engineWith, event, events, policy } from './engine-fixture.test-support.ts'

const dayMs = 86_400_000

async function virtual(subscriptions: Parameters<typeof engineWith>[0], change: Parameters<typeof engineWith>[3] = {}) {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  return { platform, ...(await engineWith(subscriptions, store, true, { platform, ...change })) }
}

test('three days of retries take milliseconds and follow the Standard Webhooks schedule', async () => {
  // G19 S0-76
  const at: number[] = []
  const answer: Answer = () => {
    at.push(platform.clock.now())
    return { outcome: 'retry', reason: 'down' }
  }
  const { platform, engine } = await virtual([
    { policy: policy('s', { retry: { ...standardWebhooksRetry, jitter: 0 } }), answer },
  ])
  await engine.publish(event(1))
  await platform.advance(5 * dayMs)
  const gaps = at.slice(1).map((time, i) => Math.round((time - at[i]!) / 1000))
  expect(gaps).toEqual([5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400])
  expect(await settled(platform, engine.subscription('s'))).toMatchObject({ counters: { dead: 1 } })
  await settled(platform, engine.stop())
})

/** Awaits something that needs time to pass. */
async function settled<T>(platform: { advance(ms: number): Promise<void> }, promise: Promise<T>): Promise<T> {
  let isDone = false
  promise.then(
    () => {
      isDone = true
    },
    () => {
      isDone = true
    },
  )
  for (let i = 0; i < 200 && !isDone; i++) await platform.advance(50)
  return promise
}

test('a wanted delay is honoured, beyond 2^31 ms too', async () => {
  // G19
  const at: number[] = []
  const delayMs = 30 * dayMs
  const answer: Answer = () => {
    at.push(platform.clock.now())
    return at.length === 1 ? { outcome: 'retry', delayMs } : undefined
  }
  const { platform, engine } = await virtual([
    { policy: policy('s', { retry: { ...policy('x').retry, retryAfterMaxMs: 60 * dayMs } }), answer },
  ])
  await engine.publish(event(1))
  await platform.advance(29 * dayMs)
  expect(at.length).toBe(1)
  await platform.advance(2 * dayMs)
  expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(delayMs)
  await settled(platform, engine.stop())
})

test('an attempt that takes too long is aborted and tried again', async () => {
  // S3-20
  let attempts = 0
  const sink = {
    deliver(_deliveries: readonly unknown[], { signal }: { signal: AbortSignal }): Promise<Outcome[] | undefined> {
      attempts += 1
      if (attempts > 1) return Promise.resolve(undefined)
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
  }
  const { platform, engine, store } = await virtual([{ policy: policy('s') }], {
    subscriptions: [
      {
        policy: policy('s'),
        sinkName: 'slow',
        batch: 1,
        isPaused: false,
        runsUserCode: false,
        createSink: () => sink,
        createStages: async () => [],
      },
    ],
  })
  await engine.publish(event(1))
  await platform.advance(900)
  expect(attempts).toBe(1)
  await platform.advance(200)
  expect(attempts).toBe(2)
  await platform.advance(200)
  const { rows } = await store.history('s', { sequence: 1, limit: 1 })
  expect(rows[0]!.attempts![0]!.attempts).toMatchObject([{ outcome: 'retry', reason: 'timed out after 1000 ms' }])
  await settled(platform, engine.stop())
})

test('an attempt that ignores its timeout holds its place, and health names it', async () => {
  // G33
  const { platform, engine } = await virtual([{ policy: policy('stuck'), answer: () => new Promise(() => undefined) }])
  await engine.publish(events(3))
  await platform.advance(2000)
  expect((await engine.health()).problems).toEqual(['subscription stuck has 3 attempts that ignore their timeout'])
  const stopping = engine.stop({ deadline: '1s' })
  await settled(platform, stopping)
  await engine.stop()
})

test('dead letters are redriven by themselves as often as the policy says, and kept as long as it says', async () => {
  // S3-15
  let calls = 0
  const answer: Answer = () => {
    calls += 1
    return { outcome: 'reject', reason: 'no' }
  }
  const dead = { keepMs: 10 * dayMs, redrive: { afterMs: 3_600_000, times: 2 } }
  const { platform, engine } = await virtual([{ policy: policy('s', { dead }), answer }])
  await engine.publish(event(1))
  await platform.advance(dayMs)
  expect(calls).toBe(3)
  await platform.advance(11 * dayMs)
  const status = await settled(platform, engine.subscription('s'))
  expect(status.counters).toMatchObject({ dead: 0, discarded: 1, redriven: 2, died: 3 })
  expect((await settled(platform, engine.audit())).subscriptions[0]!.problems).toEqual([])
  await settled(platform, engine.stop())
})

test('retention never passes what a subscription still needs, unless it is forced: then it is lost, counted and shown', async () => {
  // G29 S0-116
  for (const whenPinned of ['keep', 'force'] as const) {
    const { platform, engine, store } = await virtual([{ policy: policy('quick') }, { policy: policy('paused') }], {
      retention: { ageMs: dayMs, whenPinned },
    })
    await settled(platform, engine.pause('paused'))
    await engine.publish(events(10))
    await platform.advance(2 * dayMs)
    await engine.publish(event(99))
    await platform.advance(7_200_000)
    expect(store.oldest()).toBe(whenPinned === 'keep' ? 1 : 11)
    const status = await settled(platform, engine.subscription('paused'))
    expect(status.counters.lost).toBe(whenPinned === 'keep' ? 0 : 10)
    expect((await settled(platform, engine.audit())).ok).toBe(true)
    expect((await engine.publish(event(1))).status).toBe('duplicate')
    await settled(platform, engine.stop())
  }
})
