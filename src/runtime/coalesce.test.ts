import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome } from '../core/outcome.ts'
import type { Delivery } from '../plugin/sink.ts'
import type { Store } from '../plugin/store.ts'
import { memory } from '../stores/memory.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../testing/virtual-platform.ts'
import { type Answer, engineWith, event, policy } from './engine-fixture.test-support.ts'

const coalesce = { windowMs: 2000, maxWaitMs: 30_000 }

async function coalescing(answer?: Answer, change: Parameters<typeof policy>[1] = {}) {
  const platform = createVirtualPlatform()
  const store = await memory().declaration.open({}, { directory: '.', platform })
  const specs = [
    { policy: policy('s', { coalesce, ...change }), ...(answer && { answer }) },
    { policy: policy('plain') },
  ]
  return { platform, ...(await engineWith(specs, store, true, { platform })) }
}

const update = (i: number, subject: string | undefined = 'file-1', type = 'file.changed') =>
  event(i, { type, ...(subject !== undefined && { subject }) })
const shown = ({ event: { id, meta } }: Delivery) => [id, meta['coalesced_events'] ?? 1]

// S0-33 S0-34 S0-35 S0-36 G22
test('10 updates of one file within 30 s are one delivery with the last state; a subscription without it gets all', async () => {
  const { platform, engine, received } = await coalescing()
  for (let i = 1; i <= 10; i++) {
    await engine.publish(update(i))
    await platform.advance(1500)
  }
  await platform.advance(10_000)
  expect(received.get('s')!.map(shown)).toEqual([['e10', 10]])
  expect(received.get('plain')!.length).toBe(10)
  const report = await engine.audit()
  expect(report.problems).toEqual([])
  expect(report.subscriptions.find(({ name }) => name === 's')!.books).toMatchObject({ delivered: 1, superseded: 9 })
})

// S0-37 S0-39
test('other subjects and other types are not merged, and events without a subject are delivered each', async () => {
  const { platform, engine, received } = await coalescing()
  for (const [i, subject, type] of [
    [1, 'a', 'x.y'],
    [2, 'b', 'x.y'],
    [3, 'a', 'x.z'],
    [4, undefined, 'x.y'],
    [5, undefined, 'x.y'],
    [6, 'a', 'x.y'],
  ] as const)
    await engine.publish({ ...event(i, { type }), ...(subject !== undefined && { subject }) })
  await platform.advance(5000)
  expect(
    received
      .get('s')!
      .map(({ event: { id } }) => id)
      .sort(),
  ).toEqual(['e2', 'e3', 'e4', 'e5', 'e6'])
})

// S0-110 G22
test('a steady stream is delivered after maxWait', async () => {
  const { platform, engine, received } = await coalescing()
  for (let i = 1; i <= 45; i++) {
    await engine.publish(update(i))
    await platform.advance(1000)
  }
  expect(received.get('s')!.length).toBe(1)
  expect(Number(received.get('s')![0]!.event.meta['coalesced_events'])).toBeGreaterThanOrEqual(29)
  await platform.advance(60_000)
  expect(received.get('s')!.at(-1)!.event.id).toBe('e45')
})

// S0-38 S0-111
test('what was superseded says by which event, and the delivery says what it stands for', async () => {
  const { platform, engine, received } = await coalescing()
  await engine.publish(update(1))
  await engine.publish(update(2))
  await platform.advance(3000)
  const { deliveries } = await engine.explain(1, 's')
  expect(deliveries[0]).toMatchObject({ state: 'superseded', reason: 'superseded by event 2' })
  expect(received.get('s')![0]!.event.meta).toEqual({
    coalesced_events: 2,
    first_event_at: '2026-01-01T00:00:00.000Z',
    last_event_at: '2026-01-01T00:00:00.000Z',
  })
})

test('while a retry waits, a newer event takes over and keeps its time', async () => {
  const outcomes: Outcome[] = [{ outcome: 'retry', delayMs: 60_000, reason: 'down' }]
  const { platform, engine, received } = await coalescing(() => outcomes.shift())
  await engine.publish(update(1))
  await platform.advance(3000)
  await engine.publish(update(2))
  await platform.advance(30_000)
  expect(received.get('s')!.map(({ event: { id } }) => id)).toEqual(['e1'])
  await platform.advance(31_000)
  expect(received.get('s')!.map(({ event: { id } }) => id)).toEqual(['e1', 'e2'])
  const [superseded] = (await engine.explain(1, 's')).deliveries
  expect(superseded).toMatchObject({ state: 'superseded', attemptCount: 1, attempts: [{ reason: 'down' }] })
})

test('what arrives during an attempt waits for its end, and takes over when it fails', async () => {
  let finish: (outcome: Outcome) => void = () => undefined
  let attempts = 0
  const { platform, engine, received } = await coalescing(
    () => (++attempts === 1 ? new Promise((resolve) => (finish = resolve)) : undefined),
    { timeoutMs: 1e9 },
  )
  await engine.publish(update(1))
  await platform.advance(3000)
  await engine.publish(update(2))
  await platform.advance(9000)
  expect(attempts).toBe(1)
  finish({ outcome: 'retry', delayMs: 5000 })
  await platform.advance(4000)
  expect(attempts).toBe(1)
  await platform.advance(2000)
  expect(received.get('s')!.map(({ event: { id } }) => id)).toEqual(['e1', 'e2'])
  expect((await engine.audit()).problems).toEqual([])
})

// G22
test('an older event put back from the dead letters does not follow a newer one that waits', async () => {
  const { platform, engine, received } = await coalescing(({ event: { id } }) =>
    id === 'e1' ? { outcome: 'reject', reason: 'no' } : undefined,
  )
  await engine.publish(update(1))
  await platform.advance(5000)
  await engine.publish(update(2))
  await engine.redrive('s', { all: true })
  await platform.advance(10_000)
  expect(received.get('s')!.map(({ event: { id } }) => id)).toEqual(['e1', 'e2'])
  expect((await engine.audit()).subscriptions.find(({ name }) => name === 's')!.books).toMatchObject({
    delivered: 1,
    superseded: 1,
    dead: 0,
  })
})

test('what stands for itself alone is delivered as it came', async () => {
  const { platform, engine, received } = await coalescing()
  await engine.publish(update(1))
  await platform.advance(3000)
  expect(received.get('s')!.map(({ event: { meta } }) => meta)).toEqual([{}])
})

/** Attempts that end only when they are told to, by the id of their event. */
function hanging(...ids: readonly string[]) {
  const ends = new Map(ids.map((id) => [id, Promise.withResolvers<Outcome | undefined>()]))
  const answer: Answer = ({ event: { id } }) => ends.get(id)?.promise
  return { answer, end: (id: string, outcome?: Outcome) => ends.get(id)!.resolve(outcome) }
}

// S0-38
test('one that is due while an attempt is under way, or that waits for its turn, can still be superseded', async () => {
  const { answer, end } = hanging('e1', 'e10')
  const { platform, engine, received } = await coalescing(answer, { timeoutMs: 1e9, concurrency: 2, window: 6 })
  const shownOf = () => received.get('s')!.map(({ event: { id } }) => id)
  // One key is being delivered, another takes the second place.
  await engine.publish(update(1, 'a'))
  await engine.publish(update(10, 'b'))
  await platform.advance(3000)
  // Both are due now: one waits for the attempt before it, one for a place.
  for (let i = 2; i < 9; i++) {
    await engine.publish(update(i, 'a'))
    await engine.publish(update(i + 20, 'c'))
    await platform.advance(3000)
  }
  expect(shownOf()).toEqual(['e1', 'e10'])
  end('e1')
  end('e10')
  await platform.advance(3000)
  expect(received.get('s')!.map(shown).slice(2).sort()).toEqual([
    ['e28', 7],
    ['e8', 7],
  ])
  for (const subject of ['d', 'e', 'f', 'g', 'h']) await engine.publish(update(100, subject, subject))
  for (const [i, subject] of ['d', 'e', 'f', 'g', 'h'].entries()) await engine.publish(update(40 + i, subject))
  await platform.advance(3000)
  expect(shownOf().slice(4).sort()).toEqual(['e100', 'e40', 'e41', 'e42', 'e43', 'e44'])
  expect((await engine.audit()).problems).toEqual([])
})

test('one whose time to live ends while it waits for an attempt leaves its key free', async () => {
  const { answer, end } = hanging('e1')
  const ttl = { defaultMs: 5000, types: new Map() }
  const { platform, engine, received } = await coalescing(answer, { timeoutMs: 1e9, ttl })
  await engine.publish(update(1))
  await platform.advance(3000)
  await engine.publish(update(2))
  await platform.advance(10_000)
  end('e1')
  await platform.advance(1000)
  await engine.publish(update(3))
  await platform.advance(3000)
  expect(received.get('s')!.map(shown)).toEqual([
    ['e1', 1],
    ['e3', 1],
  ])
  const report = await engine.audit()
  expect(report.problems).toEqual([])
  expect(report.subscriptions[1]!.books).toMatchObject({ delivered: 2, expired: 1, superseded: 0, open: 0 })
})

test('a retry keeps its time over a restart, also for the newer event that takes over', async () => {
  const platform = createVirtualPlatform()
  const store = outliving(await memory().declaration.open({}, { directory: '.', platform }))
  const outcomes: Outcome[] = [{ outcome: 'retry', delayMs: 60_000, reason: 'down' }]
  const specs = [{ policy: policy('s', { coalesce }), answer: () => outcomes.shift() }]
  const first = await engineWith(specs, store, true, { platform })
  await first.engine.publish(update(1))
  await platform.advance(3000)
  const stopping = first.engine.stop()
  await platform.advance(100)
  await stopping
  const { engine, received } = await engineWith(specs, store, true, { platform })
  await engine.publish(update(2))
  await platform.advance(50_000)
  expect(received.get('s')).toEqual([])
  await platform.advance(10_000)
  expect(received.get('s')!.map(shown)).toEqual([['e2', 2]])
})

/** A store that outlives its engine: the process ends without closing it. */
function outliving(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'close') return async () => undefined
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

// G22 K12
test('over random interleavings with failures and restarts, the last event of a key is delivered last and every event is accounted for', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('publish' as const), subject: fc.constantFrom('a', 'b') }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 4000 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.array(fc.boolean(), { maxLength: 40 }),
      async (steps, fails) => {
        const platform: VirtualPlatform = createVirtualPlatform()
        const store = outliving(await memory().declaration.open({}, { directory: '.', platform }))
        const delivered: { subject: string; id: number; count: number }[] = []
        const answer: Answer = ({ event: { id, subject, meta } }) => {
          if (fails.shift() === true) return { outcome: 'retry', delayMs: 500 }
          delivered.push({ subject: subject!, id: Number(id.slice(1)), count: Number(meta['coalesced_events'] ?? 1) })
          return undefined
        }
        const specs = [{ policy: policy('s', { coalesce, retry: { ...policy('x').retry, attempts: 100 } }), answer }]
        let { engine } = await engineWith(specs, store, true, { platform })
        let published = 0
        const last: Record<string, number> = {}
        for (const one of steps) {
          if (one.do === 'publish') {
            await engine.publish(update(++published, one.subject))
            last[one.subject] = published
          } else if (one.do === 'wait') await platform.advance(one.ms)
          else {
            const stopping = engine.stop()
            await platform.advance(100)
            await stopping
            engine = (await engineWith(specs, store, true, { platform })).engine
          }
        }
        await platform.advance(120_000)
        for (const [subject, id] of Object.entries(last))
          expect(delivered.filter((one) => one.subject === subject).at(-1)!.id).toBe(id)
        for (const subject of ['a', 'b']) {
          const ids = delivered.filter((one) => one.subject === subject).map(({ id }) => id)
          expect(ids).toEqual([...ids].sort((a, b) => a - b))
        }
        const report = await engine.audit()
        expect(report.problems).toEqual([])
        const { books } = report.subscriptions[0]!
        expect(books['delivered']! + books['superseded']!).toBe(published)
        expect(delivered.reduce((sum, { count }) => sum + count, 0)).toBe(published)
        const stopping = engine.stop()
        await platform.advance(100)
        await stopping
      },
    ),
    { numRuns: 40 },
  )
})
