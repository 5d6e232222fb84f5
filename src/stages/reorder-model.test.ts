import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stage } from '../plugin/stage-function.ts'
import { memory } from '../stores/memory.ts'
import { testPipeline } from '../testing/kit/test-pipeline.ts'
import { recordingSink } from '../testing/recording-sink.ts'
import { reorder } from './reorder.ts'

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      events: fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), skip: fc.nat(3) }), {
        minLength: 1,
        maxLength: 6,
      }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(0, 1, 30, 400, 3000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.constantFrom(0, 2000) }) },
)

const scenario = fc.record({
  steps: fc.array(step, { minLength: 2, maxLength: 25 }),
  bySequence: fc.boolean(),
  concurrency: fc.constantFrom(1, 3, 8),
  stageConcurrency: fc.constantFrom(1, 3),
  reorderConcurrency: fc.constantFrom(1, 3),
  busyTurns: fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }),
})

/** Places per key, some steps ahead of those that are missing: `skip` says which of the missing ones comes next. */
function createPlaces() {
  const missing = new Map<string, number[]>()
  return (key: string, skip: number): number => {
    const left = missing.get(key) ?? [1, 2, 3, 4]
    missing.set(key, left)
    const [place] = left.splice(skip, 1)
    left.push(left.at(-1)! + 1 > place! ? left.at(-1)! + 1 : place! + 1)
    return place!
  }
}

// Over a restart and after a retry nothing is promised: what waits between two steps goes on in no order then.
test('the stage after a reorder begins the events of a key in order, and a sink behind one place gets them so', {
  timeout: 90_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      const begun: string[] = []
      let at = 0
      const turns = async () => {
        for (let n = given.busyTurns[at++ % given.busyTurns.length]!; n > 0; n--)
          await new Promise((resolve) => setImmediate(resolve))
      }
      const sink = recordingSink()
      await using pipeline = await testPipeline({
        store: memory(),
        subscriptions: {
          work: {
            match: ['in.*'],
            concurrency: given.concurrency,
            stages: [
              {
                use: reorder({ wait: '1s', ...(given.bySequence && { sequence: 'data.n' }) }),
                concurrency: given.reorderConcurrency,
              },
              stage(
                'next',
                async ({ event }) => {
                  begun.push(`${event.subject} ${(event.data as { n: number }).n}`)
                  await turns()
                },
                { concurrency: given.stageConcurrency },
              ),
            ],
            sink,
          },
        },
      })
      const placeOf = createPlaces()
      let id = 0
      for (const one of given.steps) {
        if (one.kind === 'publish') {
          const events = one.events.map(({ key, skip }) => {
            const n = placeOf(key, skip)
            const time = new Date(Date.parse('2025-12-31T00:00:00Z') + n * 1000).toISOString()
            return { source: 's', id: `${++id}`, type: 'in.put', subject: key, time, data: { n } }
          })
          await pipeline.publish(events)
        } else if (one.kind === 'wait') await pipeline.clock.advance(`${one.ms}ms`)
        else {
          await pipeline.pause('work')
          await pipeline.clock.advance(`${one.ms}ms`)
          await pipeline.resume('work')
        }
      }
      await pipeline.clock.advance('1h')
      const problems = [
        ...swaps('next', begun),
        ...(given.stageConcurrency === 1
          ? swaps(
              'sink',
              sink.received.map(({ event }) => `${event.subject} ${(event.data as { n: number }).n}`),
            )
          : []),
      ]
      expect(problems).toEqual([])
      expect((await pipeline.audit()).problems).toEqual([])
    }),
    { numRuns: 150, interruptAfterTimeLimit: 60_000 },
  )
})

/** Where one of a key came first behind one with a later place. */
function swaps(where: string, seen: readonly string[]): string[] {
  const last = new Map<string, number>()
  const known = new Set<string>()
  return seen.flatMap((one) => {
    if (known.has(one)) return []
    known.add(one)
    const [key, n] = one.split(' ') as [string, string]
    const before = last.get(key) ?? 0
    last.set(key, Math.max(before, Number(n)))
    return before > Number(n) ? [`${where}: ${key} ${n} after ${before}`] : []
  })
}
