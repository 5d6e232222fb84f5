import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Delivery, SinkContext } from '../plugin/sink.ts'
import { event, events } from './engine-fixture.test-support.ts'
import { stopped, tapped } from './tap.test-support.ts'

const idsOf = (deliveries: readonly Delivery[]) => deliveries.map(({ event: { id } }) => id)
const never = () => new Promise<never>(() => undefined)

describe('emit', () => {
  // S2-01 S2-07 S2-08
  test('reaches best-effort subscriptions only, and is stored nowhere', async () => {
    const { engine, received, got, platform } = await tapped({ tap: {}, other: { policy: { match: ['x.*'] } } })
    expect(engine.emit(event(1, { subject: 'a', meta: { actor: 'u' } }))).toBe(true)
    await platform.advance(10)
    expect(got['tap']![0]!.event).toMatchObject({ source: 'shop', subject: 'a', data: { i: 1 }, meta: { actor: 'u' } })
    expect(got['other']).toEqual([])
    expect(received.get('durable')).toEqual([])
    expect(engine.store.head()).toBe(0)
  })

  // S2-04 S2-10
  test('with room for one and nobody to take it, one is accepted and nine of ten are dropped and counted', async () => {
    const { engine, counters } = await tapped({ tap: { buffer: 1 } }, false)
    await engine.open()
    const taken = Array.from({ length: 10 }, (_, i) => engine.emit(event(i)))
    expect(taken.filter(Boolean).length).toBe(1)
    expect(counters('tap')).toMatchObject({ offered: 10, accepted: 1, dropped: 9 })
  })

  // S2-03 S2-05 S2-24
  test('never throws: not for rubbish, not before the start, not after the stop; what is dropped is counted', async () => {
    const { engine, counters, platform } = await tapped({ tap: {} }, false)
    for (const rubbish of [
      undefined,
      null,
      5,
      {},
      { source: 's', type: 'a', id: '' },
      { source: 's', type: 'millrace.x', id: '1' },
    ])
      expect(engine.emit(rubbish as never)).toBe(false)
    const circular: { self?: unknown } = {}
    circular.self = circular
    expect(engine.emit(event(1, { data: circular }))).toBe(false)
    await engine.start()
    await stopped(platform, engine.stop())
    expect(engine.emit(event(2))).toBe(false)
    expect(engine.stats().emitted.emitted).toBe(8)
    const { unwanted, invalid } = engine.stats().emitted
    expect(unwanted + invalid).toBe(8)
    expect(counters('tap').offered).toBe(0)
  })

  // S2-20
  test('what is emitted before the start is delivered after it', async () => {
    const { engine, got, platform } = await tapped({ tap: {} }, false)
    expect(engine.emit(event(1))).toBe(true)
    expect(engine.emit(event(2))).toBe(true)
    await engine.start()
    await platform.advance(10)
    expect(idsOf(got['tap']!)).toEqual(['e1', 'e2'])
  })
})

// S2-02
test('what is appended reaches them too, after its commit and once', async () => {
  const { engine, got, platform, received } = await tapped({ tap: { policy: { match: ['order.*'] } } })
  await engine.publish([event(1), event(2, { type: 'other.x' }), event(3)])
  await engine.publish(event(1))
  await platform.advance(100)
  expect(idsOf(got['tap']!)).toEqual(['e1', 'e3'])
  expect(received.get('durable')!.length).toBe(3)
})

test('what its where is not true for is not offered, whichever way it came', async () => {
  const where = { text: 'data.i > 1', test: ({ data }: Event) => (data as { i: number }).i > 1, explain: () => '' }
  const { engine, got, counters, platform } = await tapped({ tap: { policy: { where } } })
  await engine.publish([event(1), event(2)])
  engine.emit(event(0))
  engine.emit(event(3))
  await platform.advance(100)
  expect([idsOf(got['tap']!).sort(), counters('tap').offered]).toEqual([['e2', 'e3'], 2])
})

test('it sees an old event as its newest version', async () => {
  const see = (given: Event) => new Event({ ...given.record, data: '{"version":2}' })
  const { engine, got, platform } = await tapped({ tap: { see } })
  await engine.publish(event(1))
  await platform.advance(100)
  expect(got['tap']!.map(({ event: { data } }) => data)).toEqual([{ version: 2 }])
})

// S2-13
test('each has its own payload', async () => {
  const { engine, got, platform } = await tapped({ full: {}, summary: { policy: { payload: { kind: 'summary' } } } })
  engine.emit(event(1))
  await platform.advance(10)
  expect(got['full']![0]!.body).toBeUndefined()
  expect(JSON.parse(got['summary']![0]!.body!)).not.toHaveProperty('data')
})

// S2-09 S2-11 S2-12 S2-14 S2-17 S2-18
test.each<[string, () => Outcome]>([
  ['answers retry', () => ({ outcome: 'retry', reason: 'down' })],
  ['throws', failing],
])('a sink that %s is tried again after the delays of its list, and given up once', async (_, answer) => {
  const at: number[] = []
  const { engine, counters, platform, warnings } = await tapped({
    tap: {
      deliver: () => {
        at.push(platform.clock.now())
        return answer()
      },
    },
  })
  engine.emit(event(1))
  await platform.advance(100_000)
  expect(at.slice(1).map((ms, i) => ms - at[i]!)).toEqual([1000, 5000, 30_000])
  expect(counters('tap')).toMatchObject({ accepted: 1, delivered: 0, failed: 1, buffered: 0 })
  expect(warnings).toHaveLength(1)
})

test('an attempt that takes longer than its timeout is told to end, and fails', async () => {
  const at: number[] = []
  const deliver = (_: Delivery, { signal }: SinkContext) => {
    at.push(platform.clock.now())
    return new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const { engine, counters, platform } = await tapped({ tap: { deliver, policy: { timeoutMs: 2000 } } })
  engine.emit(event(1))
  await platform.advance(100_000)
  expect(at.slice(1).map((ms, i) => ms - at[i]!)).toEqual([3000, 7000, 32_000])
  expect(counters('tap')).toMatchObject({ failed: 1, buffered: 0 })
})

// S2-15 S2-16 S2-34 G27
test('one that never answers delays and loses nothing for the others', async () => {
  const { engine, counters, platform } = await tapped({
    dead: { buffer: 5, deliver: never, policy: { timeoutMs: 1e9 } },
    failing: { buffer: 5, deliver: () => ({ outcome: 'retry' }) },
    well: {},
  })
  for (let i = 0; i < 100; i++) {
    engine.emit(event(i))
    await platform.advance(1)
  }
  expect(counters('well')).toMatchObject({ offered: 100, delivered: 100, dropped: 0 })
  expect(counters('dead')).toMatchObject({ offered: 100, dropped: 94, accepted: 6 })
})

// S2-19 S2-21 S2-22 S2-35
test('a stop gives what is buffered one attempt each and cuts pauses short', async () => {
  const failing = new Set(['e0', 'e2'])
  const { engine, counters, got, platform, closed } = await tapped({
    tap: { deliver: ({ event: { id } }) => (failing.has(id) ? { outcome: 'retry' } : undefined) },
  })
  for (let i = 0; i < 4; i++) engine.emit(event(i))
  await platform.advance(500)
  expect(idsOf(got['tap']!)).toEqual(['e0'])
  expect(await stopped(platform, engine.stop())).toBeLessThan(500)
  await engine.stop()
  expect(idsOf(got['tap']!)).toEqual(['e0', 'e1', 'e2', 'e3'])
  expect(counters('tap')).toMatchObject({ delivered: 2, failed: 2, buffered: 0 })
  expect(closed).toEqual(['tap'])
})

test('a stop does not wait beyond its deadline for a sink that hangs; what it leaves is counted', async () => {
  const hanging = Promise.withResolvers<undefined>()
  const signals: AbortSignal[] = []
  const deliver = (_: Delivery, { signal }: SinkContext) => {
    signals.push(signal)
    return hanging.promise
  }
  const { engine, counters, platform } = await tapped({ tap: { deliver, policy: { timeoutMs: 1e9 } } })
  for (let i = 0; i < 4; i++) engine.emit(event(i))
  await stopped(platform, engine.stop({ deadline: '2s' }))
  expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  const left = { accepted: 4, delivered: 0, failed: 4, buffered: 0 }
  expect(counters('tap')).toMatchObject(left)
  hanging.resolve(undefined)
  await platform.settle()
  expect(counters('tap')).toMatchObject(left)
})

// S2-23
test('a stop without a start returns', async () => {
  const { engine } = await tapped({ tap: {} }, false)
  engine.emit(event(1))
  await engine.stop()
})

test('what needs a ledger is refused with the reason', async () => {
  const { engine } = await tapped({ tap: {} })
  await expect(engine.pause('tap')).rejects.toThrow(/best-effort/)
  expect((await engine.subscription('tap')).tap).toMatchObject({ offered: 0 })
})

// S2-06 G25
test('over any sequence of emits, failures and a stop, the counts add up', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.constantFrom('ack', 'retry', 'reject', 'discard', 'throw'), { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 30 }),
      async (buffer, concurrency, outcomes, gaps) => {
        let next = 0
        const { engine, counters, platform } = await tapped({
          tap: {
            buffer,
            policy: { concurrency },
            deliver: () => {
              const outcome = outcomes[next++ % outcomes.length]!
              if (outcome === 'throw') throw new Error('broken')
              return { outcome } as Outcome
            },
          },
        })
        for (const [i, gap] of gaps.entries()) {
          engine.emit(event(i))
          await platform.advance(gap)
        }
        await stopped(platform, engine.stop())
        const { offered, dropped, accepted, delivered, discarded, failed, buffered } = counters('tap')
        expect(offered).toBe(gaps.length)
        expect(dropped + accepted).toBe(offered)
        expect(delivered + discarded + failed).toBe(accepted)
        expect(buffered).toBe(0)
      },
    ),
    { numRuns: 50 },
  )
})

function failing(): never {
  throw new Error('broken')
}

test('a sink that answers nonsense has failed, and the next event is delivered', async () => {
  const nonsense = { ontcome: 'ack' } as never
  const { platform, engine, counters } = await tapped({
    live: { deliver: ({ event: { id } }) => (id === 'e0' ? nonsense : undefined) },
  })
  for (const each of events(2)) engine.emit(each)
  await platform.advance(60_000)
  expect(counters('live')).toMatchObject({ delivered: 1, failed: 1 })
  await stopped(platform, engine.stop())
})
