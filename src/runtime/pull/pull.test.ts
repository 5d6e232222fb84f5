import { describe, expect, onTestFinished, test } from 'vitest'
import { AppError } from '../../core/errors.ts'
import type { EventInput } from '../../core/event.ts'
import type { SubscriptionPolicy } from '../../core/plan.ts'
import type { Store } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../../testing/virtual-platform.ts'
import type { FetchedBatch } from '../batches.ts'
import type { Engine } from '../engine.ts'
import { engineWith, event, events, policy, until } from '../engine-fixture.test-support.ts'

const settings = { leaseMs: 30_000, limit: 100, maxWaitMs: 60_000 }

interface Setup {
  readonly change?: Partial<SubscriptionPolicy>
  readonly stages?: Parameters<typeof engineWith>[0][number]['stages']
  readonly settings?: Partial<typeof settings>
  readonly platform?: VirtualPlatform
  readonly store?: Store
}

/** The memory store outlives its pipelines here: what one process leaves, the next one finds. */
async function storeOf(platform: VirtualPlatform): Promise<Store> {
  const store = await memory.declaration.open({}, { directory: '.', platform } as never)
  return { ...store, close: async () => undefined }
}

async function opened(setup: Setup = {}) {
  const platform = setup.platform ?? createVirtualPlatform()
  const store = setup.store ?? (await storeOf(platform))
  const unlimited = { ...policy('work').retry, attempts: Number.POSITIVE_INFINITY }
  const { engine } = await engineWith(
    [
      {
        policy: policy('work', {
          retry: unlimited,
          window: 20_000,
          maxOpen: 100_000,
          start: { kind: 'beginning' },
          ...setup.change,
        }),
        stages: setup.stages ?? {},
        batches: { ...settings, ...setup.settings },
      },
    ],
    store,
    true,
    { platform },
  )
  onTestFinished(() => driven(platform, engine.stop({ deadline: '10ms' })))
  const calls = engine.batches('work')
  const published = async (list: EventInput[]) => {
    await engine.publish(list)
  }
  const fetch = (options?: Parameters<typeof calls.fetchBatch>[0]) => driven(platform, calls.fetchBatch(options))
  const idsOf = (batch: FetchedBatch | undefined): string[] => batch?.events.map(({ id }) => id) ?? []
  return { platform, store, engine, calls, published, fetch, idsOf }
}

/** Moves time by nothing until the promise is there: group commits wait for timers that are due at once. */
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

async function balanced(engine: Engine) {
  const report = await engine.audit()
  expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
  expect(report.ok).toBe(true)
  return report.subscriptions.find(({ name }) => name === 'work')!.books
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error instanceof AppError ? [error.code, error.facts['because']] : error),
  )

describe('a subscription that clients fetch from', () => {
  test('gives batches in order, says what remains, and settles what is confirmed', async () => {
    // S0-28 G23
    const { engine, calls, published, fetch, idsOf, platform } = await opened()
    await published(events(250))
    const first = (await fetch())!
    expect(first.events).toHaveLength(100)
    expect([first.remaining, first.deadline]).toEqual([150, platform.clock.now() + 30_000])
    expect(new Set(first.deliveryCounts)).toEqual(new Set([1]))
    const second = (await fetch({ limit: 140 }))!
    expect([idsOf(second)[0], second.remaining]).toEqual(['e100', 10])
    expect(await balanced(engine)).toMatchObject({ delivered: 0, open: 250 })
    expect(await driven(platform, calls.confirm(first.batch, first))).toEqual({ confirmed: 100 })
    expect(await driven(platform, calls.confirm(second.batch, { ...second, sequences: [101, 102, 1] }))).toEqual({
      confirmed: 2,
    })
    expect(await balanced(engine)).toMatchObject({ delivered: 102, open: 148 })
    const status = await engine.subscription('work')
    expect(status).toMatchObject({ floor: 102, lag: 0, open: 148, counters: { attempts: 102 } })
  })

  test('answers nothing when there is nothing, and waits for so long as the client says', async () => {
    // S0-88
    const { calls, published, fetch, idsOf, platform } = await opened()
    expect(await fetch()).toBeUndefined()
    const waiting = calls.fetchBatch({ waitMs: 5000 })
    const tooShort = calls.fetchBatch({ waitMs: 20 })
    await platform.advance(100)
    expect(await tooShort).toBeUndefined()
    await published(events(3))
    const got = await driven(platform, waiting)
    expect(idsOf(got)).toEqual(['e0', 'e1', 'e2'])
    await driven(platform, calls.confirm(got!.batch, got!))
    const before = platform.clock.monotonic()
    expect(await driven(platform, calls.fetchBatch({ waitMs: 99_000 }))).toBeUndefined()
    expect(platform.clock.monotonic() - before).toBeLessThan(60_100)
  })

  test('a client that goes away while it waits is given nothing, and the next one is', async () => {
    const { calls, published, platform, idsOf } = await opened()
    const gone = new AbortController()
    const [left, stays] = [calls.fetchBatch({ waitMs: 5000, signal: gone.signal }), calls.fetchBatch({ waitMs: 5000 })]
    await platform.advance(10)
    gone.abort()
    expect(await driven(platform, left)).toBeUndefined()
    await published(events(1))
    expect(idsOf(await driven(platform, stays))).toEqual(['e0'])
    expect(await driven(platform, calls.fetchBatch({ signal: gone.signal }))).toBeUndefined()
  })

  test('what is not confirmed in time is offered again, before newer events, counted once more; a late confirm still counts until then', async () => {
    // S0-29 G23
    const { engine, calls, published, fetch, idsOf, platform } = await opened()
    await published(events(4))
    const first = (await fetch({ limit: 2 }))!
    const second = (await fetch({ limit: 1 }))!
    await platform.advance(30_000)
    expect(await driven(platform, calls.confirm(second.batch, second))).toEqual({ confirmed: 1 })
    const again = (await fetch())!
    expect(idsOf(again)).toEqual(['e0', 'e1', 'e3'])
    expect(again.deliveryCounts).toEqual([2, 2, 1])
    expect(await codeOf(calls.confirm(first.batch, first))).toEqual(['receipt-stale', 'again'])
    expect(await codeOf(calls.extend(first.batch, first))).toEqual(['receipt-stale', 'again'])
    expect(await driven(platform, calls.confirm(again.batch, again))).toEqual({ confirmed: 3 })
    expect(await balanced(engine)).toMatchObject({ delivered: 4, open: 0 })
    expect((await engine.subscription('work')).counters).toMatchObject({ attempts: 6, retries: 3 })
    const [delivery] = (await engine.explain(1)).deliveries
    expect(delivery).toMatchObject({ state: 'delivered', attemptCount: 2 })
  })

  test('a lease can be prolonged, and given back with and without a delay', async () => {
    // G23
    const { calls, published, fetch, idsOf, platform } = await opened()
    await published(events(3))
    const batch = (await fetch())!
    await platform.advance(20_000)
    const now = platform.clock.now()
    expect(await driven(platform, calls.extend(batch.batch, batch))).toEqual({ extended: 3, deadline: now + 30_000 })
    await platform.advance(29_000)
    expect(await fetch()).toBeUndefined()
    const some = { receipt: batch.receipt, sequences: [1] }
    expect(await driven(platform, calls.release(batch.batch, some))).toEqual({ released: 1 })
    expect(idsOf(await fetch())).toEqual(['e0'])
    expect(await driven(platform, calls.release(batch.batch, { ...batch, delayMs: 5000 }))).toEqual({ released: 2 })
    expect(await fetch()).toBeUndefined()
    expect(await codeOf(calls.confirm(batch.batch, batch))).toEqual(['receipt-stale', 'released'])
    const waiting = calls.fetchBatch({ waitMs: 10_000 })
    await platform.advance(5000)
    expect((await driven(platform, waiting))!.deliveryCounts).toEqual([2, 2])
  })

  test('a repeated confirm is answered as done for a day; other names and receipts do nothing', async () => {
    // K11 G23
    const { engine, calls, published, fetch, platform } = await opened()
    await published(events(2))
    const batch = (await fetch({ limit: 1 }))!
    const other = (await fetch())!
    expect(await codeOf(calls.confirm(batch.batch, { receipt: other.receipt }))).toEqual(['receipt-stale', 'receipt'])
    expect(await codeOf(calls.confirm(batch.batch, { receipt: 'x' }))).toEqual(['receipt-stale', 'receipt'])
    expect(await codeOf(calls.confirm('9-9', batch))).toEqual(['batch-unknown', undefined])
    expect(await driven(platform, calls.confirm(batch.batch, batch))).toEqual({ confirmed: 1 })
    expect(await driven(platform, calls.confirm(batch.batch, batch))).toEqual({ confirmed: 0 })
    await platform.advance(86_400_000)
    expect(await codeOf(calls.confirm(batch.batch, batch))).toEqual(['batch-unknown', undefined])
    expect(await balanced(engine)).toMatchObject({ delivered: 1, open: 1 })
  })

  test('without a lease batches overlap, and what any of them confirms never comes again', async () => {
    // S0-90
    const { calls, published, fetch, idsOf, platform } = await opened({ settings: { leaseMs: 0 } })
    await published(events(3))
    const [a, b] = [(await fetch({ limit: 2 }))!, (await fetch())!]
    expect([idsOf(a), a.remaining, idsOf(b), b.remaining]).toEqual([['e0', 'e1'], 1, ['e0', 'e1', 'e2'], 0])
    expect(await driven(platform, calls.confirm(a.batch, a))).toEqual({ confirmed: 2 })
    expect(idsOf(await fetch())).toEqual(['e2'])
    expect(await driven(platform, calls.confirm(b.batch, b))).toEqual({ confirmed: 1 })
    expect(await fetch()).toBeUndefined()
  })

  test('an event offered as often as the policy allows is a dead letter that says so, and can be redriven', async () => {
    // G20
    const retry = { ...policy('x').retry, attempts: 2 }
    const { engine, calls, published, fetch, platform } = await opened({ change: { retry } })
    await published(events(2))
    await fetch({ limit: 1, leaseMs: 1000 })
    await platform.advance(1000)
    const last = (await fetch({ limit: 1 }))!
    expect(last.deliveryCounts).toEqual([2])
    await driven(platform, calls.release(last.batch, last))
    await until(async () => (await engine.dead('work', { limit: 9 })).length === 1)
    const [dead] = await engine.dead('work', { limit: 9 })
    expect(dead).toMatchObject({
      sequence: 1,
      reason: 'gave up after it was offered 2 times: released by its client',
      attemptCount: 2,
    })
    expect(await codeOf(calls.confirm(last.batch, last))).toEqual(['receipt-stale', 'released'])
    expect(await balanced(engine)).toMatchObject({ dead: 1, open: 1 })
    await driven(platform, engine.redrive('work', { all: true }))
    const again = (await driven(platform, calls.fetchBatch({ waitMs: 1000, limit: 1 })))!
    expect([again.events[0]!.sequence, again.deliveryCounts]).toEqual([1, [1]])
    await driven(platform, calls.confirm(again.batch, again))
    expect(await balanced(engine)).toMatchObject({ dead: 0, delivered: 1, open: 1 })
  })

  test('events of a key are with one client at a time, and in order; a parked key waits for its dead letter', async () => {
    // G8 G16 S1-36
    const retry = { ...policy('x').retry, attempts: 1 }
    const change = { ordering: 'key', onFailure: 'park', retry } as const
    const { engine, calls, published, fetch, idsOf, platform } = await opened({ change })
    await published([0, 1, 2, 3].map((i) => event(i, { subject: i % 2 === 0 ? 'even' : 'odd' })))
    const even = (await fetch({ limit: 1 }))!
    const odd = (await fetch())!
    expect([idsOf(even), idsOf(odd)]).toEqual([['e0'], ['e1', 'e3']])
    expect(await fetch()).toBeUndefined()
    await driven(platform, calls.release(even.batch, even))
    await until(async () => (await engine.dead('work', { limit: 9 })).length === 1)
    expect(await fetch()).toBeUndefined()
    await driven(platform, engine.discard('work', { all: true }))
    expect(idsOf(await fetch())).toEqual(['e2'])
  })

  test('strict ordering has one batch out at a time', async () => {
    // G16
    const { calls, published, fetch, idsOf, platform } = await opened({ change: { ordering: 'strict' } })
    await published(events(3))
    const first = (await fetch({ limit: 2 }))!
    expect(await fetch()).toBeUndefined()
    await driven(platform, calls.confirm(first.batch, first))
    expect(idsOf(await fetch())).toEqual(['e2'])
  })

  test('explain says with whom an event is, until when, and what else may be the case', async () => {
    const change = { ordering: 'key' } as const
    const { engine, calls, published, fetch, platform } = await opened({ change })
    await published([0, 1, 2].map((i) => event(i, { subject: i < 2 ? 'k' : 'other' })))
    const batch = (await fetch({ limit: 1 }))!
    await fetch({ limit: 1, leaseMs: 1000 })
    const told = async (sequence: number) => (await driven(platform, engine.explain(sequence))).deliveries[0]!
    expect(await told(1)).toMatchObject({
      state: 'leased',
      reason: expect.stringContaining(`batch ${batch.batch}`),
      attemptCount: 1,
    })
    expect((await told(1)).dueAt).toBe(new Date(batch.deadline).toISOString())
    expect(await told(2)).toMatchObject({ state: 'pending', next: expect.stringContaining('before it in its key') })
    await driven(platform, calls.release(batch.batch, { ...batch, delayMs: 5000 }))
    expect(await told(1)).toMatchObject({ state: 'pending', next: expect.stringContaining('offered again from') })
    await platform.advance(1000)
    expect(await told(3)).toMatchObject({
      state: 'pending',
      next: 'offered with the next fetch',
      reason: 'offered 1 time',
    })
  })

  test('stages run first: what they discard is never offered, what they replace is, and order and redrive stay right', async () => {
    const stages = {
      work: ({ event: { id } }: { event: { id: string } }) =>
        id === 'e1'
          ? ({ outcome: 'discard', reason: 'odd one' } as const)
          : ({ outcome: 'ack', event: { data: { done: id } } } as const),
    }
    const { engine, calls, published, fetch, idsOf, platform, store } = await opened({
      stages: stages as never,
      change: { ordering: 'key' },
    })
    await published([0, 1, 2].map((i) => event(i, { subject: 'k' })))
    await driven(platform, engine.idle())
    const batch = (await fetch())!
    expect(idsOf(batch)).toEqual(['e0', 'e2'])
    expect(batch.events.map(({ data }) => data)).toEqual([{ done: 'e0' }, { done: 'e2' }])
    expect(await balanced(engine)).toMatchObject({ discarded: 1, open: 2 })
    await driven(platform, engine.stop({ deadline: '10ms' }))
    const next = await opened({ stages: stages as never, change: { ordering: 'key' }, platform, store })
    expect(await next.fetch()).toBeUndefined()
    expect(await driven(platform, next.calls.confirm(batch.batch, batch))).toEqual({ confirmed: 2 })
    expect(await balanced(next.engine)).toMatchObject({ discarded: 1, delivered: 2, open: 0 })
    expect(await codeOf(calls.confirm('1-1', batch))).not.toBe('done')
  })

  test('a restart keeps leases, counts and what is remembered of batches', async () => {
    // K10 K11 G23
    const { engine, calls, published, fetch, platform, store } = await opened()
    await published(events(5))
    const kept = (await fetch({ limit: 2, leaseMs: 60_000 }))!
    const short = (await fetch({ limit: 1, leaseMs: 1000 }))!
    const done = (await fetch({ limit: 1 }))!
    await driven(platform, calls.confirm(done.batch, done))
    await driven(platform, engine.stop({ deadline: '10ms' }))
    const next = await opened({ platform, store })
    await platform.advance(1000)
    expect(await driven(platform, next.calls.confirm(done.batch, done))).toEqual({ confirmed: 0 })
    const rest = (await next.fetch())!
    expect([next.idsOf(rest), rest.deliveryCounts]).toEqual([
      ['e2', 'e4'],
      [2, 1],
    ])
    expect(await codeOf(next.calls.confirm(short.batch, short))).toEqual(['receipt-stale', 'again'])
    expect(await driven(platform, next.calls.confirm(kept.batch, kept))).toEqual({ confirmed: 2 })
    expect(await balanced(next.engine)).toMatchObject({ delivered: 3, open: 2 })
    expect((await next.engine.subscription('work')).floor).toBe(2)
  })

  test('what remains is exact to ten thousand, also when far more is in the log than in memory', async () => {
    const { published, fetch, platform, calls } = await opened({ change: { window: 20_000 } })
    await published(events(10_150))
    expect((await fetch({ limit: 150 }))!.remaining).toBe(10_000)
    expect((await fetch({ limit: 150 }))!.remaining).toBe(9850)
    const many = events(15_000).map((each, i) => ({ ...each, id: `more-${i}` }))
    await published(many)
    const large = (await fetch({ limit: 10_000 }))!
    expect([large.events.length, large.remaining]).toEqual([10_000, 10_000])
    await driven(platform, calls.confirm(large.batch, large))
  })

  test('large events make small batches', async () => {
    const { published, fetch } = await opened()
    const data = 'x'.repeat(900 * 1024)
    await published(events(20, { data }))
    const batch = (await fetch())!
    expect([batch.events.length, batch.remaining]).toEqual([18, 2])
  })

  test('a paused subscription gives nothing, and takes confirms', async () => {
    const { engine, calls, published, fetch, idsOf, platform } = await opened()
    await published(events(2))
    const batch = (await fetch({ limit: 1 }))!
    await driven(platform, engine.pause('work'))
    expect(await fetch()).toBeUndefined()
    expect(await driven(platform, calls.confirm(batch.batch, batch))).toEqual({ confirmed: 1 })
    await driven(platform, engine.resume('work'))
    expect(idsOf(await fetch())).toEqual(['e1'])
  })

  test('a stop answers clients that wait', async () => {
    const { engine, calls, platform } = await opened()
    const waiting = calls.fetchBatch({ waitMs: 60_000 })
    await platform.advance(1)
    await driven(platform, engine.stop({ deadline: '10ms' }))
    expect(await waiting).toBeUndefined()
  })

  test('events too old are expired when they would be offered', async () => {
    // S0-72
    const ttl = { defaultMs: 1000, types: new Map<string, number>() }
    const { engine, published, fetch, platform } = await opened({ change: { ttl } })
    await published(events(2))
    await driven(platform, engine.idle())
    await platform.advance(1000)
    await published([event(9)])
    expect((await fetch({ limit: 2 }))!.events.map(({ id }) => id)).toEqual(['e9'])
    expect(await balanced(engine)).toMatchObject({ expired: 2, open: 1 })
  })

  test('coalesced events come as the latest, with what it stands for; the next of a key waits until it is confirmed, also after a restart', async () => {
    // S0-111 G22
    const coalesce = { windowMs: 100, maxWaitMs: 1000 }
    const { engine, published, fetch, platform, store } = await opened({ change: { coalesce } })
    await published([0, 1, 2].map((i) => event(i, { subject: i < 2 ? 'k' : 'other' })))
    await platform.advance(200)
    const batch = (await fetch())!
    expect(batch.events.map(({ id, meta }) => [id, meta['coalesced_events']])).toEqual([
      ['e1', 2],
      ['e2', undefined],
    ])
    await published([event(3, { subject: 'k' })])
    await platform.advance(200)
    expect(await fetch()).toBeUndefined()
    await driven(platform, engine.stop({ deadline: '10ms' }))
    const next = await opened({ change: { coalesce }, platform, store })
    await platform.advance(200)
    expect(await next.fetch()).toBeUndefined()
    expect(await driven(platform, next.calls.confirm(batch.batch, batch))).toEqual({ confirmed: 2 })
    await platform.advance(10)
    expect(next.idsOf(await next.fetch())).toEqual(['e3'])
    expect(await balanced(next.engine)).toMatchObject({ delivered: 2, superseded: 1, open: 1 })
  })
})
