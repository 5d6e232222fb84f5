import { join } from 'node:path'
import { createPipeline } from 'millrace'
import { defineSink, schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, someEvent, type Variant } from './harness.ts'

const dead = defineSink({
  name: 'dead',
  summary: 'Never answers.',
  options: schema.strictObject({}),
  example: {},
  delivers: 'nothing',
  create: () => ({ deliver: () => new Promise<never>(() => undefined) }),
})

const emit: Variant = async (context) => {
  const calls = context.size(2_000_000, 200_000)
  const pipeline = createPipeline({
    store: sqlite({ path: join(context.directory, 'events.db') }),
    subscriptions: {
      one: { sink: dead(), guarantee: 'best-effort' },
      two: { sink: dead(), guarantee: 'best-effort', match: ['order.*'], payload: 'summary' },
      three: { sink: dead(), guarantee: 'best-effort', buffer: 100 },
    },
  })
  await pipeline.start()
  const events = Array.from({ length: 1000 }, (_, index) => someEvent(index))
  const emitAll = (count: number): void => {
    for (let i = 0; i < count; i++) pipeline.emit(events[i % events.length]!)
  }
  emitAll(50_000)
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const began = performance.now()
  emitAll(calls)
  const elapsedMs = performance.now() - began
  globalThis.gc?.()
  const grownMiB = (process.memoryUsage().heapUsed - before) / 2 ** 20
  const { tap } = pipeline.stats().subscriptions['one']!
  if (tap!.offered !== calls + 50_000 || tap!.dropped + tap!.accepted !== tap!.offered) throw new Error('lost count')
  await pipeline.stop({ deadline: '1ms' })
  // A ratio needs more than nothing.
  return { microseconds: (elapsedMs * 1000) / calls, grownMiB: Math.max(0.001, grownMiB) }
}

/** What a call of `emit` costs while no sink answers. */
export const question: Question = {
  ask: 'emit while every sink is dead: what a call costs, and whether memory stays flat',
  variants: { emit },
  targets: [
    { says: 'microseconds a call', value: (of) => of['emit']!['microseconds']!, at: 'most', goal: 2 },
    { says: 'heap grown, MiB', value: (of) => of['emit']!['grownMiB']!, at: 'most', goal: 1 },
  ],
}
