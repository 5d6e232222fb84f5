import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AppError } from '../../core/errors.ts'
import type { Ordering } from '../../core/plan.ts'
import type { Store } from '../../plugin/store.ts'
import { memory } from '../../stores/memory.ts'
import { createVirtualPlatform, type VirtualPlatform } from '../../testing/virtual-platform.ts'
import type { FetchedBatch } from '../batches.ts'
import type { Engine } from '../engine.ts'
import { engineWith, event, policy } from '../engine-fixture.test-support.ts'

const some = fc.option(fc.subarray([0, 1, 2, 3]), { nil: undefined })
const which = fc.nat(9)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('publish'), count: fc.integer({ min: 1, max: 5 }) } as const) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('fetch'), limit: fc.integer({ min: 1, max: 4 }) } as const) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('confirm'), which, some } as const) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('release'), which, some, delay: fc.constantFrom(0, 500) } as const),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('extend'), which } as const) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(10, 500, 1500) } as const) },
  // Nothing is said to the one before: the next owner fences it, as after a kill.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash') } as const) },
)

interface Held {
  readonly fetched: FetchedBatch
  readonly left: Set<number>
  deadline: number
}

/** The simple truth about a run: who was promised what. */
class Promises {
  published = 0
  readonly confirmed = new Set<number>()
  readonly counts = new Map<number, number>()
  readonly batches: Held[] = []

  take(fetched: FetchedBatch, now: number, ordering: Ordering): void {
    const held = { fetched, left: new Set<number>(), deadline: fetched.deadline }
    fetched.events.forEach(({ sequence, subject }, index) => {
      expect(this.confirmed.has(sequence), `${sequence} came again after its confirm`).toBe(false)
      const other = this.batches.find(({ left, deadline }) => deadline > now && left.has(sequence))
      expect(other, `${sequence} is with two clients`).toBeUndefined()
      if (ordering === 'key') expect(this.#holderOf(subject, now), `${subject} is with two clients`).toBeUndefined()
      expect(fetched.deliveryCounts[index]).toBe((this.counts.get(sequence) ?? 0) + 1)
      this.counts.set(sequence, fetched.deliveryCounts[index]!)
      held.left.add(sequence)
    })
    expect(fetched.events.map(({ sequence }) => sequence)).toEqual([...held.left].sort((a, b) => a - b))
    for (const { left } of this.batches) for (const sequence of held.left) left.delete(sequence)
    this.batches.push(held)
  }

  #holderOf(subject: string | undefined, now: number): Held | undefined {
    return this.batches.find(
      ({ fetched, left, deadline }) =>
        deadline > now && fetched.events.some((each) => each.subject === subject && left.has(each.sequence)),
    )
  }
}

async function driven<T>(platform: VirtualPlatform, promise: Promise<T>): Promise<T> {
  let isDone = false
  const done = promise.finally(() => {
    isDone = true
  })
  done.catch(() => undefined)
  for (let i = 0; i < 30 && !isDone; i++) await platform.settle()
  while (!isDone) await platform.advance(1)
  return done
}

async function open(platform: VirtualPlatform, store: Store, ordering: Ordering, hasStage: boolean): Promise<Engine> {
  const retry = { ...policy('work').retry, attempts: Number.POSITIVE_INFINITY }
  const change = { retry, ordering, window: 12, start: { kind: 'beginning' } } as const
  const { engine } = await engineWith(
    [
      {
        policy: policy('work', change),
        stages: hasStage ? { mark: ({ event: { id } }) => ({ outcome: 'ack', context: { id } }) } : {},
        batches: { leaseMs: 1000, limit: 3, maxWaitMs: 100 },
      },
    ],
    store,
    true,
    { platform },
  )
  return engine
}

async function confirmAll(platform: VirtualPlatform, engine: Engine, promises: Promises, ordering: Ordering) {
  await platform.advance(5000)
  for (let i = 0; i < 200 && promises.confirmed.size < promises.published; i++) {
    const fetched = await driven(platform, engine.batches('work').fetchBatch({ limit: 10, waitMs: 50 }))
    if (fetched === undefined) continue
    promises.take(fetched, platform.clock.now(), ordering)
    await driven(platform, engine.batches('work').confirm(fetched.batch, fetched))
    for (const { sequence } of fetched.events) promises.confirmed.add(sequence)
    promises.batches.at(-1)!.left.clear()
  }
}

test('whatever clients do and whenever the owner changes: what was promised is kept, and the books balance at every step', async () => {
  // G14 G17 G21 G23 K10 K11 S0-29
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.constantFrom<Ordering>('none', 'key'),
      fc.boolean(),
      async (steps, ordering, hasStage) => {
        const platform = createVirtualPlatform()
        const kept = await memory.declaration.open({}, { directory: '.', platform } as never)
        const store: Store = { ...kept, close: async () => undefined }
        let engine = await open(platform, store, ordering, hasStage)
        const owners = [engine]
        const promises = new Promises()
        for (const step of steps) {
          const held =
            'which' in step ? promises.batches.at(-1 - (step.which % Math.max(1, promises.batches.length))) : undefined
          const all = held?.fetched.events.map(({ sequence }) => sequence) ?? []
          const sequences = 'some' in step ? step.some?.flatMap((at) => all[at] ?? []) : undefined
          const calls = engine.batches('work')
          if (step.kind === 'publish') {
            const from = promises.published
            promises.published += step.count
            await engine.publish(
              Array.from({ length: step.count }, (_, i) => event(from + i, { subject: `s${(from + i) % 3}` })),
            )
          } else if (step.kind === 'wait') await platform.advance(step.ms)
          else if (step.kind === 'crash') {
            engine = await open(platform, store, ordering, hasStage)
            owners.push(engine)
          } else if (step.kind === 'fetch') {
            const fetched = await driven(platform, calls.fetchBatch({ limit: step.limit }))
            if (fetched !== undefined) promises.take(fetched, platform.clock.now(), ordering)
          } else if (held !== undefined) {
            const { batch, receipt } = held.fetched
            const before = platform.clock.now()
            try {
              if (step.kind === 'confirm') {
                const wanted = [...held.left].filter((sequence) => sequences?.includes(sequence) ?? true)
                const { confirmed } = await driven(platform, calls.confirm(batch, { receipt, sequences }))
                expect(confirmed).toBe(wanted.length)
                for (const sequence of wanted) {
                  held.left.delete(sequence)
                  promises.confirmed.add(sequence)
                }
              } else if (step.kind === 'release') {
                await driven(platform, calls.release(batch, { receipt, sequences, delayMs: step.delay }))
                for (const sequence of sequences ?? [...held.left]) held.left.delete(sequence)
              } else held.deadline = (await driven(platform, calls.extend(batch, { receipt }))).deadline
            } catch (error) {
              if (!(error instanceof AppError) || error.code !== 'receipt-stale') throw error
              // A lease that holds, with all of it, is never refused.
              if (step.kind === 'confirm' && held.deadline > before) expect(held.left.size).toBeLessThan(all.length)
            }
          }
          const report = await driven(platform, engine.audit())
          expect(report.subscriptions.flatMap(({ problems }) => problems)).toEqual([])
          const books = report.subscriptions.find(({ name }) => name === 'work')!.books
          expect(books['delivered']).toBe(promises.confirmed.size)
        }
        await confirmAll(platform, engine, promises, ordering)
        expect(promises.confirmed.size).toBe(promises.published)
        for (const owner of owners) await driven(platform, owner.stop({ deadline: '1ms' }))
      },
    ),
    { numRuns: 400 },
  )
})
