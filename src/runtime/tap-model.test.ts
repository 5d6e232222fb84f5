import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Event } from '../core/event.ts'
import type { Outcome } from '../core/outcome.ts'
import { event } from './engine-fixture.test-support.ts'
import { stopped, tapped } from './tap.test-support.ts'

const isWanted = (i: number): boolean => i % 3 !== 0
const where = {
  text: 'data.i % 3 != 0',
  test: ({ data }: Event) => isWanted((data as { i: number }).i),
  explain: () => '',
}

type Step =
  | { readonly do: 'emit'; readonly what: 'event' | 'other type' | 'no event'; readonly i: number }
  | { readonly do: 'publish'; readonly i: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'start' }
  | { readonly do: 'stop'; readonly deadlineMs: number }

const number = fc.integer({ min: 0, max: 50 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('emit' as const),
      what: fc.constantFrom('event', 'event', 'event', 'other type', 'no event'),
      i: number,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('publish' as const), i: number }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 4000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('start' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('stop' as const), deadlineMs: fc.integer({ min: 1, max: 3000 }) }),
  },
)
const answers = fc.array(
  fc.record({
    outcome: fc.constantFrom('ack', 'ack', 'retry', 'reject', 'discard', 'throw', 'never'),
    takesMs: fc.integer({ min: 0, max: 3000 }),
  }),
  { minLength: 1, maxLength: 8 },
)

// G25 G14
test('over any interleaving of emit, publish, a slow sink, a late start and a stop, every count adds up at any moment', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        buffer: fc.integer({ min: 1, max: 5 }),
        concurrency: fc.integer({ min: 1, max: 3 }),
        isPicky: fc.boolean(),
      }),
      answers,
      fc.array(step, { maxLength: 40 }),
      async ({ buffer, concurrency, isPicky }, sinkAnswers, steps) => {
        let calls = 0
        const { engine, platform, counters } = await tapped(
          {
            tap: {
              buffer,
              policy: { concurrency, match: ['order.*'], timeoutMs: 2000, where: isPicky ? where : undefined },
              deliver: async () => {
                const { outcome, takesMs } = sinkAnswers[calls++ % sinkAnswers.length]!
                await new Promise((resolve) => platform.after(takesMs, () => resolve(undefined)))
                if (outcome === 'never') return new Promise<never>(() => undefined)
                if (outcome === 'throw') throw new Error('broken')
                return { outcome } as Outcome
              },
            },
          },
          false,
        )
        await engine.open()
        const model = { emits: 0, published: 0, isStarted: false, isStopped: false }
        const check = (): void => {
          const { emitted, subscriptions } = engine.stats()
          const { offered, dropped, accepted, delivered, discarded, failed, buffered } = counters('tap')
          expect(dropped + accepted).toBe(offered)
          expect(delivered + discarded + failed + buffered).toBe(accepted)
          expect(emitted.emitted).toBe(model.emits)
          expect(emitted.unwanted + emitted.invalid + offered - model.published).toBe(model.emits)
          const books = subscriptions['tap']!.counters
          expect(books).toMatchObject({
            matched: offered,
            delivered,
            discarded,
            lost: dropped + failed,
            open: buffered,
          })
          const settled = books.delivered + books.discarded + books.superseded + books.expired + books.lost
          expect(settled + books.dead + books.open).toBe(books.matched)
          expect(books.attempts).toBe(calls)
        }
        for (const [n, each] of steps.entries()) {
          if (each.do === 'emit') {
            const given = event(n, { data: { i: each.i }, ...(each.what === 'other type' && { type: 'x.y' }) })
            model.emits += 1
            const isTaken = engine.emit(each.what === 'no event' ? { ...given, id: '' } : given)
            if (each.what !== 'event' || (isPicky && !isWanted(each.i))) expect(isTaken).toBe(false)
          } else if (each.do === 'publish' && model.isStarted && !model.isStopped) {
            await engine.publish(event(n, { data: { i: each.i } }))
            await platform.advance(10)
            if (!isPicky || isWanted(each.i)) model.published += 1
          } else if (each.do === 'wait') await platform.advance(each.ms)
          else if (each.do === 'start' && !model.isStarted && !model.isStopped) {
            model.isStarted = true
            await engine.start()
          } else if (each.do === 'stop' && !model.isStopped) {
            model.isStopped = true
            await stopped(platform, engine.stop({ deadline: `${each.deadlineMs}ms` }))
            expect(counters('tap').buffered).toBe(0)
          }
          check()
        }
        if (!model.isStopped) await stopped(platform, engine.stop({ deadline: '1s' }))
        await platform.advance(100_000)
        check()
        expect(counters('tap').buffered).toBe(0)
      },
    ),
    { numRuns: 150 },
  )
})
