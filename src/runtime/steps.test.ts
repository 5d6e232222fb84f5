import { expect, test } from 'vitest'
import { nodePlatform } from '../plugin/platform.ts'
import type { Commit, Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { engineWith, event, events, policy, until } from './engine-fixture.test-support.ts'

const openMemory = () => memory().declaration.open({}, { directory: '.', platform: nodePlatform })

/** Notes what is committed beside events. */
function noting(store: Store): { readonly commits: Commit[] } {
  const commits: Commit[] = []
  const commit = store.commit.bind(store)
  store.commit = (all) => {
    commits.push(...all.filter(({ ledgers }) => ledgers !== undefined))
    return commit(all)
  }
  return { commits }
}

const rowsPut = (commits: readonly Commit[]): number =>
  commits.flatMap(({ ledgers = [] }) => ledgers.flatMap(({ put = [] }) => put)).length

test('pure stages run on the spot, one after another, and nothing of them is stored', async () => {
  const store = await openMemory()
  const { commits } = noting(store)
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('s'),
        pure: ['keep', 'rise', 'rename'],
        stages: {
          keep: ({ event: e }) =>
            (e.data as { i: number }).i % 2 === 0 ? undefined : { outcome: 'discard', reason: 'odd' },
          rise: ({ event: e }) => ({ outcome: 'ack', event: { data: { i: (e.data as { i: number }).i + 1 } } }),
          rename: ({ context }) => ({ outcome: 'ack', event: { type: 'order.seen' }, context: { ...context, n: 1 } }),
        },
      },
    ],
    store,
  )
  await engine.publish(events(10))
  await engine.idle()
  expect(received.get('s')!.map(({ event: e }) => [e.type, (e.data as { i: number }).i])).toEqual(
    [1, 3, 5, 7, 9].map((i) => ['order.seen', i]),
  )
  expect(received.get('s')![0]!.context).toEqual({ n: 1 })
  expect(rowsPut(commits)).toBe(0)
  expect((await engine.subscription('s')).counters).toMatchObject({ delivered: 5, discarded: 5 })
  expect((await engine.explain(1)).deliveries[0]).toMatchObject({ state: 'delivered', attemptCount: 1 })
  expect((await engine.audit()).ok).toBe(true)
  await engine.stop()
})

test('after pure stages alone the sink is given full batches', async () => {
  const calls: number[] = []
  const { engine } = await engineWith(
    [
      {
        policy: policy('s'),
        batch: 5,
        pure: ['look'],
        stages: { look: () => undefined },
        onCall: (deliveries) => void calls.push(deliveries.length),
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(20))
  await engine.idle()
  expect(calls).toEqual([5, 5, 5, 5])
  await engine.stop()
})

test('a pure stage may answer later, and at most as many at once as its concurrency', async () => {
  let active = 0
  let most = 0
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('s', { concurrency: 16 }),
        pure: ['wait'],
        stageConcurrency: 2,
        stages: {
          wait: async () => {
            most = Math.max(most, ++active)
            await new Promise((resolve) => setImmediate(resolve))
            active -= 1
          },
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(20))
  await engine.idle()
  expect([most, received.get('s')!.length]).toEqual([2, 20])
  await engine.stop()
})

test('after a kill pure stages run again from what was stored, and what they made is the same', async () => {
  // K6 S1-30
  const store = await openMemory()
  const ran: string[] = []
  let isStuck = true
  const spec = {
    policy: policy('s'),
    pure: ['before', 'after'],
    stages: {
      before: ({ event: e }: { event: { data: unknown } }) => {
        ran.push('before')
        return { outcome: 'ack' as const, event: { data: { i: (e.data as { i: number }).i + 1 } } }
      },
      stored: () => void ran.push('stored'),
      after: ({ event: e }: { event: { data: unknown } }) => {
        ran.push('after')
        return { outcome: 'ack' as const, event: { data: { i: (e.data as { i: number }).i * 10 } } }
      },
    },
    answer: () => (isStuck ? new Promise<undefined>(() => undefined) : undefined),
  }
  await (await engineWith([spec], store)).engine.publish(event(1))
  await until(() => ran.length === 3)
  isStuck = false
  const { engine, received } = await engineWith([spec], store)
  await engine.idle()
  expect(ran).toEqual(['before', 'stored', 'after', 'after'])
  expect(received.get('s')![0]!.event.data).toEqual({ i: 20 })
  await engine.stop()
})

test('a retry after pure stages remembers what they made, and does not run them again', async () => {
  let runs = 0
  let failures = 1
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('s'),
        pure: ['once'],
        stages: {
          once: () => {
            runs += 1
            return { outcome: 'ack', event: { data: { n: runs } } }
          },
        },
        answer: () => (failures-- > 0 ? { outcome: 'retry', reason: 'not yet' } : undefined),
      },
    ],
    await openMemory(),
  )
  await engine.publish(event(1))
  await engine.idle()
  await until(() => received.get('s')!.length === 2)
  expect(received.get('s')!.map(({ attempt, event: e }) => [attempt, e.data])).toEqual([
    [1, { n: 1 }],
    [2, { n: 1 }],
  ])
  await engine.stop()
})

test('a pure stage that derives events fails with words that say why', async () => {
  const { engine } = await engineWith(
    [
      {
        policy: policy('s', { throwAttempts: 1 }),
        pure: ['make'],
        stages: { make: () => ({ outcome: 'ack', derive: [{ type: 'order.made' }] }) },
      },
    ],
    await openMemory(),
  )
  await engine.publish(event(1))
  await until(async () => (await engine.subscription('s')).counters.dead === 1)
  const [dead] = await engine.dead('s', { limit: 1 })
  expect(dead!.reason).toMatch(/make threw: it derived events.*without isPure/)
  await engine.stop()
})

test('many deliveries share the commits of their steps', async () => {
  const store = await openMemory()
  const { commits } = noting(store)
  const commit = store.commit
  store.commit = async (all) => {
    // As long as a disk takes.
    await new Promise((resolve) => setTimeout(resolve, 2))
    return commit(all)
  }
  const step = () => undefined
  const { engine } = await engineWith(
    [
      {
        policy: policy('s', { window: 1024 }),
        stageConcurrency: 1,
        stages: { one: step, two: step, three: async () => undefined },
      },
    ],
    store,
  )
  await engine.publish(events(1000))
  await engine.idle()
  expect(rowsPut(commits)).toBe(3000)
  expect(commits.length).toBeLessThan(150)
  expect((await engine.audit()).ok).toBe(true)
  await engine.stop()
})

test('a full buffer holds back the stage before it', async () => {
  // S1-19
  const ran = { fast: 0, slow: 0 }
  const waiting: (() => void)[] = []
  const { engine } = await engineWith(
    [
      {
        policy: policy('s', { concurrency: 16 }),
        stageConcurrency: 1,
        stageBuffer: 5,
        stages: {
          fast: () => {
            ran.fast += 1
          },
          slow: async () => {
            ran.slow += 1
            await new Promise<void>((resolve) => waiting.push(resolve))
          },
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(50))
  await until(() => ran.fast === 7)
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  // One is at work in the slow one, five wait in front of it, and one is held back in the fast one.
  expect(ran).toEqual({ fast: 7, slow: 1 })
  waiting.shift()!()
  await until(() => ran.slow === 2)
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(ran).toEqual({ fast: 8, slow: 2 })
  while (ran.slow < 50 || waiting.length > 0) {
    waiting.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await until(async () => (await engine.subscription('s')).counters.delivered === 50)
  await engine.stop()
})

test('a sink that does not answer holds back all the stages before it', async () => {
  let ran = 0
  const { engine } = await engineWith(
    [
      {
        policy: policy('s', { concurrency: 4 }),
        stageConcurrency: 2,
        stages: {
          one: () => {
            ran += 1
          },
          two: () => undefined,
        },
        answer: () => new Promise<undefined>(() => undefined),
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(1000))
  await until(() => ran >= 10)
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(ran).toBeLessThan(40)
  await engine.stop({ deadline: '10ms' })
})

test('a stage that waits tries again at the very moment it said, and no attempt is counted', async () => {
  const attempts: number[] = []
  const { engine } = await engineWith(
    [
      {
        policy: policy('s', { retry: { ...policy('x').retry, delaysMs: [60_000], retryAfterMaxMs: 1 } }),
        hasSink: false,
        stages: {
          wait: ({ attempt }) => {
            attempts.push(attempt)
            return attempts.length < 3 ? { outcome: 'retry', delay: '5ms', isWait: true } : undefined
          },
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(event(1))
  await until(async () => (await engine.subscription('s')).counters.delivered === 1)
  expect(attempts).toEqual([1, 1, 1])
  expect((await engine.subscription('s')).counters).toMatchObject({ attempts: 1, retries: 0 })
  expect((await engine.explain(1)).deliveries[0]!.attempts).toEqual([])
  await engine.stop()
})

test("a stage's own retry policy counts for it and for nothing else", async () => {
  let runs = 0
  const { engine } = await engineWith(
    [
      {
        policy: policy('s'),
        hasSink: false,
        stageRetry: { retry: { ...policy('x').retry, attempts: 2, delaysMs: [1] }, throwAttempts: 2 },
        stages: {
          refuse: () => {
            runs += 1
            return { outcome: 'retry', reason: 'never' }
          },
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(event(1))
  await until(async () => (await engine.subscription('s')).counters.dead === 1)
  expect(runs).toBe(2)
  await engine.stop()
})

test('what is between two stages when the subscription is paused goes on when it is resumed', async () => {
  const ran = { one: 0, two: 0 }
  let open: () => void = () => undefined
  const { engine } = await engineWith(
    [
      {
        policy: policy('s'),
        hasSink: false,
        stages: {
          one: async () => {
            ran.one += 1
            await new Promise<void>((resolve) => {
              open = resolve
            })
          },
          two: () => {
            ran.two += 1
          },
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(event(1))
  await until(() => ran.one === 1)
  await engine.pause('s')
  open()
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(ran.two).toBe(0)
  await engine.resume('s')
  await until(async () => (await engine.subscription('s')).counters.delivered === 1)
  expect(ran).toEqual({ one: 1, two: 1 })
  await engine.stop()
})

test('deliveries that come out of their stages while the far side is down wait in their rows', async () => {
  let isDown = true
  const { engine, received } = await engineWith(
    [
      {
        policy: policy('s', {
          concurrency: 2,
          retry: { ...policy('x').retry, attempts: Number.POSITIVE_INFINITY, delaysMs: [1] },
          breaker: { failures: 2, openMs: 30, disableAfterMs: undefined },
        }),
        stages: { pass: () => undefined },
        answer: () => (isDown ? { outcome: 'retry', reason: 'down' } : undefined),
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(40))
  await until(async () => (await engine.subscription('s')).breaker?.state === 'open')
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  const tried = received.get('s')!.length
  expect(tried).toBeLessThan(6)
  isDown = false
  await until(async () => (await engine.subscription('s')).counters.delivered === 40)
  expect((await engine.audit()).ok).toBe(true)
  await engine.stop()
})

test('retries come round while hundreds of others are between their stages', async () => {
  // S1-72
  let isFirst = true
  const order: string[] = []
  const waiting: (() => void)[] = []
  const { engine } = await engineWith(
    [
      {
        policy: policy('s', { window: 1024, concurrency: 1000 }),
        hasSink: false,
        stageConcurrency: 500,
        stageBuffer: 500,
        stages: {
          one: ({ event: e }) => {
            if (e.id !== 'e0' || !isFirst) return undefined
            isFirst = false
            return { outcome: 'retry', delay: '20ms' }
          },
          two: async ({ event: e }) => {
            order.push(e.id)
            if (e.id !== 'e0') await new Promise<void>((resolve) => waiting.push(resolve))
          },
        },
      },
    ],
    await openMemory(),
  )
  await engine.publish(events(400))
  await until(() => order.includes('e0'))
  expect(waiting.length).toBeGreaterThan(300)
  for (const resolve of waiting) resolve()
  await until(async () => (await engine.subscription('s')).counters.delivered === 400)
  await engine.stop()
})
