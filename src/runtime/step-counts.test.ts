import { expect, test } from 'vitest'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform } from '../testing/virtual-platform.ts'
import { Call } from './calls.ts'
import { engineWith, event, events, policy } from './engine-fixture.test-support.ts'
import { StepCounts } from './step-counts.ts'

test('of calls that answer at once the clock is read for few, and their time comes out right', () => {
  const counts = new StepCounts()
  let reads = 0
  let now = 0
  const clock = { now: () => now, monotonic: () => ++reads && now }
  for (let i = 0; i < 1600; i++) {
    const call = new Call(now)
    now += 2
    counts.tookAtOnce(call, clock)
    counts.count({ outcome: 'ack' })
  }
  expect(counts.stats('a', 0, 0)).toMatchObject({ items: 1600, seconds: 3.2, perItemMs: 2 })
  expect(reads).toBe(115)
})

async function opened(stages: NonNullable<Parameters<typeof engineWith>[0][number]['stages']>, change: object = {}) {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const made = await engineWith([{ policy: policy('work', { concurrency: 2 }), stages, ...change }], store, true, {
    platform,
  })
  return { ...made, platform, steps: () => made.engine.stats().subscriptions['work']!.stages! }
}

// S1-44
test('statistics tell of each stage and of the sink what came of its calls and how long they took, also as a table', async () => {
  const { engine, platform, steps } = await opened({
    slow: async ({ event: { data } }) => {
      await new Promise<void>((resolve) => platform.after(100, resolve))
      const { i } = data as { i: number }
      if (i === 1) return { outcome: 'discard' }
      if (i === 2) return { outcome: 'reject' }
    },
    moody: ({ attempt, context }) => {
      if (context['waited'] === undefined)
        return { outcome: 'retry', isWait: true, delay: '5ms', context: { waited: true } }
      if (attempt === 1) throw new Error('not yet')
      return undefined
    },
  })
  await engine.publish(events(4))
  await platform.advance(10)
  expect(steps()[0]).toMatchObject({ name: 'slow', items: 0, running: 2, waiting: 2 })
  for (let i = 0; i < 100; i++) await platform.advance(100)
  const [slow, moody, sink] = steps()
  expect(slow).toEqual({
    name: 'slow',
    items: 4,
    passed: 2,
    failed: 0,
    waits: 0,
    discarded: 1,
    rejected: 1,
    seconds: 0.4,
    perItemMs: 100,
    waiting: 0,
    running: 0,
  })
  expect(moody).toMatchObject({ name: 'moody', items: 6, passed: 2, failed: 2, waits: 2, seconds: 0, perItemMs: 0 })
  expect(sink).toMatchObject({ name: 'sink', items: 2, passed: 2, failed: 0 })
  const lines = String(engine.stats()).split('\n')
  expect(lines.slice(-4).map((line) => line.trim().split(/\s{2,}/))).toEqual([
    ['subscription', 'stage', 'items', 'ms each', 'waiting', 'running', 'failed', 'waits', 'discarded', 'rejected'],
    ['work', 'slow', '4', '100.000', '0', '0', '0', '0', '1', '1'],
    ['work', 'moody', '6', '0.000', '0', '0', '2', '2', '0', '0'],
    ['work', 'sink', '2', '0.000', '0', '0', '0', '0', '0', '0'],
  ])
  await engine.stop()
})

test('a sink without stages is counted by delivery, and what waits for it is seen', async () => {
  const gate = Promise.withResolvers<undefined>()
  let calls = 0
  const { engine, platform, steps } = await opened(
    {},
    {
      batch: 2,
      onCall: () => {
        calls += 1
      },
      answer: ({ event: { id } }: { event: { id: string } }) =>
        gate.promise.then(() => (id === 'e3' ? { outcome: 'discard' as const } : undefined)),
    },
  )
  await engine.publish(events(7))
  await platform.advance(10)
  const [sink] = steps()
  expect([calls, sink!.running, sink!.waiting]).toEqual([2, 2, 3])
  gate.resolve(undefined)
  for (let i = 0; i < 20; i++) await platform.advance(10)
  expect(steps()).toMatchObject([{ name: 'sink', items: 7, passed: 6, discarded: 1, waiting: 0, running: 0 }])
  await engine.publish(event(1))
  await engine.stop()
})
