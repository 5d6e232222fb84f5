import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { Store } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../../testing/virtual-platform.ts'
import type { FetchedBatch } from '../batches.ts'
import { engineWith, event, policy } from '../engine-fixture.test-support.ts'

const settings = { leaseMs: 1000, limit: 100, maxWaitMs: 60_000 }
const coalesce = { windowMs: 100, maxWaitMs: 1000 }

/** Group commits wait for timers that are due at once. */
async function driven<T>(platform: VirtualPlatform, promise: Promise<T>): Promise<T> {
  let isDone = false
  const done = promise.finally(() => {
    isDone = true
  })
  done.catch(() => undefined)
  for (let i = 0; i < 500 && !isDone; i++) await platform.settle()
  while (!isDone) await platform.advance(1)
  return done
}

/** A pipeline on a store that outlives it. */
async function opened(platform: VirtualPlatform, given?: Store) {
  const made = given ?? (await memory.declaration.open({}, { directory: '.', platform } as never))
  const store = { ...made, close: async () => undefined }
  const work = policy('work', {
    coalesce,
    retry: { ...policy('work').retry, attempts: Number.POSITIVE_INFINITY },
    start: { kind: 'beginning' },
  })
  const { engine } = await engineWith([{ policy: work, stages: {}, batches: settings }], store, true, { platform })
  const stop = () => driven(platform, engine.stop({ deadline: '10ms' }))
  onTestFinished(stop)
  const calls = engine.batches('work')
  return {
    store,
    engine,
    stop,
    publish: (n: number, subject: string, notBefore?: string) =>
      driven(platform, engine.publish([event(n, { subject, notBefore })])),
    fetch: (limit = 100) => driven(platform, calls.fetchBatch({ limit })),
    confirm: (batch: FetchedBatch) => driven(platform, calls.confirm(batch.batch, batch)),
  }
}

const shown = (batch: FetchedBatch | undefined) =>
  batch?.events.map(({ id, meta }) => [id, meta['coalesced_events'] ?? 1]) ?? []

// S0-111
test('what waits for clients is taken over by newer events until a client has it, also over a restart', async () => {
  const platform = createVirtualPlatform()
  const first = await opened(platform)
  for (const n of [0, 1]) await first.publish(n, 'k')
  await platform.advance(200)
  // It waits for clients by now; nothing has to be quiet again.
  await first.publish(2, 'k')
  await first.stop()
  const next = await opened(platform, first.store)
  await next.publish(3, 'k')
  await next.publish(4, 'other')
  const batch = (await next.fetch())!
  expect(shown(batch)).toEqual([['e3', 4]])
  const { meta } = batch.events[0]!
  expect(Date.parse(String(meta['last_event_at']))).toBeGreaterThan(Date.parse(String(meta['first_event_at'])))
  // From here on it takes in nothing more, also when it comes back.
  await next.publish(5, 'k')
  await platform.advance(1500)
  const again = (await next.fetch())!
  expect(shown(again)).toEqual([
    ['e3', 4],
    ['e4', 1],
  ])
  await next.confirm(again)
  await platform.advance(10)
  const last = (await next.fetch())!
  expect(shown(last)).toEqual([['e5', 1]])
  await next.confirm(last)
  const report = await next.engine.audit()
  expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
  expect((await next.engine.subscription('work')).counters).toMatchObject({ delivered: 3, superseded: 3, open: 0 })
})

test('one that is not to be given out yet takes no place from one that is, and the next one takes over both in time', async () => {
  const platform = createVirtualPlatform()
  const { publish, fetch, confirm, engine } = await opened(platform)
  await publish(0, 'k')
  await platform.advance(200)
  await publish(1, 'k', new Date(platform.clock.now() + 3_600_000).toISOString())
  const batch = (await fetch())!
  expect(shown(batch)).toEqual([['e0', 1]])
  await confirm(batch)
  await publish(2, 'other')
  await platform.advance(200)
  await publish(3, 'other', new Date(platform.clock.now() + 3_600_000).toISOString())
  await publish(4, 'other')
  await platform.advance(200)
  const second = (await fetch())!
  expect(shown(second)).toEqual([['e2', 1]])
  await confirm(second)
  await platform.advance(7_200_000)
  expect(shown(await fetch()).sort()).toEqual([
    ['e1', 1],
    ['e4', 2],
  ])
  expect((await engine.audit()).problems).toEqual([])
})

test('what a client has had stays as it is: it can still be confirmed late, and the newer one comes after it', async () => {
  const platform = createVirtualPlatform()
  const { publish, fetch, confirm } = await opened(platform)
  await publish(0, 'k')
  await platform.advance(200)
  const batch = (await fetch())!
  await platform.advance(1500)
  await publish(1, 'k')
  expect(await confirm(batch)).toEqual({ confirmed: 1 })
  await platform.advance(200)
  expect(shown(await fetch())).toEqual([['e1', 1]])
})

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('publish' as const), subject: fc.constantFrom('k', 'l') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('fetch' as const), limit: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('confirm' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(1200) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

// G22 S0-111
test('over any interleaving the last state of each key is delivered last, and every event is delivered or superseded once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const platform = createVirtualPlatform()
      let running = await opened(platform)
      let published = 0
      const newest = new Map<string, number>()
      const confirmed = new Map<string, number[]>()
      let stoodFor = 0
      let held: FetchedBatch | undefined
      const confirm = async (batch: FetchedBatch) => {
        try {
          await running.confirm(batch)
        } catch {
          return
        }
        for (const { subject, id, meta } of batch.events) {
          confirmed.set(subject!, [...(confirmed.get(subject!) ?? []), Number(id.slice(1))])
          stoodFor += Number(meta['coalesced_events'] ?? 1)
        }
      }
      for (const each of steps) {
        if (each.kind === 'publish') {
          newest.set(each.subject, published)
          await running.publish(published, each.subject)
          published += 1
        } else if (each.kind === 'fetch') held = (await running.fetch(each.limit)) ?? held
        else if (each.kind === 'confirm' && held !== undefined) {
          await confirm(held)
          held = undefined
        } else if (each.kind === 'time') await platform.advance(each.ms)
        else if (each.kind === 'restart') {
          await running.stop()
          running = await opened(platform, running.store)
        }
      }
      for (let round = 0; round < 6; round++) {
        await platform.advance(1200)
        const batch = await running.fetch()
        if (batch !== undefined) await confirm(batch)
      }
      for (const [subject, numbers] of confirmed) {
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
        expect(new Set(numbers).size).toBe(numbers.length)
        expect(numbers.at(-1)).toBe(newest.get(subject))
      }
      expect([...confirmed.keys()].sort()).toEqual([...newest.keys()].sort())
      expect(stoodFor).toBe(published)
      const report = await running.engine.audit()
      expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
      expect((await running.engine.subscription('work')).open).toBe(0)
      await running.stop()
    }),
    { numRuns: 150 },
  )
}, 60_000)
