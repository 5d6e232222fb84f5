import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { defineSink, schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, quantile, someEvent, type Variant } from './harness.ts'

const perMs = 1

const latency: Variant = async (context) => {
  const total = context.size(20_000, 2_000)
  const warm = total / 10
  const published = new Float64Array(total)
  const waited: number[] = []
  const stopwatch = defineSink({
    name: 'stopwatch',
    summary: 'Notes how long after its publication an event arrives.',
    options: schema.strictObject({}),
    example: {},
    delivers: 'nothing',
    create: () => ({
      deliver([delivery]) {
        const { number } = delivery!.event.data as { number: number }
        if (number >= warm) waited.push(performance.now() - published[number]!)
      },
    }),
  })
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(context.directory, 'events.db') }),
    subscriptions: { one: { sink: stopwatch({}) } },
  })
  const answers: Promise<unknown>[] = []
  const begin = performance.now()
  await new Promise<void>((resolve) => {
    // A late tick publishes what is due, so that the rate holds; the lateness is the machine's, not the pipeline's.
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor((performance.now() - begin) * perMs))
      while (answers.length < due) {
        const index = answers.length
        published[index] = performance.now()
        answers.push(pipeline.publish(someEvent(index)))
      }
      if (answers.length >= total) {
        clearInterval(timer)
        resolve()
      }
    }, 1)
  })
  await Promise.all(answers)
  await pipeline.idle()
  if (waited.length !== total - warm) throw new Error(`${waited.length} of ${total - warm} events arrived`)
  return { p50Ms: quantile(waited, 0.5), p99Ms: quantile(waited, 0.99), maxMs: quantile(waited, 1) }
}

export const question: Question = {
  ask: 'How long after `publish` is called does the first attempt begin? (1,000 events a second, one by one, durability disk, so one sync is inside)',
  variants: { millrace: latency },
  targets: [{ says: '99th percentile in ms', value: (of) => of['millrace']!['p99Ms']!, at: 'most', goal: 5 }],
}
