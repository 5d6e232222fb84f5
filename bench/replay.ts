import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { defineSink, schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'
import { type Measures, type Question, quantile, someEvent, type Variant, type VariantContext } from './harness.ts'
import { publishMany } from './pipelines.ts'

const perSecond = 500

/** Live traffic at a steady rate, while the log is replayed to the same subscription as `replay` says; undefined: not at all. */
async function live(
  context: VariantContext,
  replay: { readonly match?: readonly string[]; readonly rate: string } | undefined,
): Promise<Measures> {
  const backlog = context.size(1_000_000, 20_000)
  const total = context.size(10_000, 500)
  const warm = total / 10
  const path = join(context.directory, 'events.db')
  const before = await openPipeline({ store: sqlite({ path }), subscriptions: {} })
  // One in a thousand is of a type that a narrow replay looks for.
  await publishMany(before, backlog, (index) => someEvent(index, index % 1000 === 0 ? 'old.rare' : 'old.placed'))
  await before.stop()
  const published = new Float64Array(total)
  const waited: number[] = []
  let replayed = 0
  const stopwatch = defineSink({
    name: 'stopwatch',
    summary: 'Notes how long after its publication a live event arrives.',
    options: schema.strictObject({}),
    example: {},
    delivers: 'nothing',
    create: () => ({
      async deliver([delivery]) {
        const { type, data } = delivery!.event
        if (type !== 'live.placed') replayed += 1
        else if ((data as { number: number }).number >= warm)
          waited.push(performance.now() - published[(data as { number: number }).number]!)
        // Something that takes its time, as a far side does.
        await new Promise((resolve) => setTimeout(resolve, 5))
      },
    }),
  })
  await using pipeline = await openPipeline({
    store: sqlite({ path }),
    subscriptions: { one: { sink: stopwatch({}), concurrency: 64 } },
  })
  const job = replay && (await pipeline.replay('one', { from: 1, to: backlog, ...replay }))
  const begin = performance.now()
  const answers: Promise<unknown>[] = []
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - begin) * perSecond) / 1000))
      while (answers.length < due) {
        const index = answers.length
        published[index] = performance.now()
        answers.push(pipeline.publish(someEvent(index, 'live.placed')))
      }
      if (answers.length < total) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
  await Promise.all(answers)
  const seconds = (performance.now() - begin) / 1000
  const counts = job && (await pipeline.replayStatus('one', job.id)).counts
  while (waited.length < total - warm) await new Promise((resolve) => setTimeout(resolve, 5))
  if (counts !== undefined && counts.examined === 0) throw new Error('the replay did nothing')
  return {
    p50Ms: quantile(waited, 0.5),
    p99Ms: quantile(waited, 0.99),
    maxMs: quantile(waited, 1),
    replayedPerSecond: replayed / seconds,
    examinedPerSecond: (counts?.examined ?? 0) / seconds,
  }
}

const without: Variant = (context) => live(context, undefined)
const wide: Variant = (context) => live(context, { rate: '2000/s' })
const narrow: Variant = (context) => live(context, { rate: '2000/s', match: ['old.rare'] })

/** What live traffic may wait beside a replay: twice as long as without one, and 10 ms in any case. */
const limitMs = (of: Readonly<Record<string, Measures>>): number => Math.max(10, 2 * of['without']!['p99Ms']!)

export const question: Question = {
  ask: 'What does a replay of a big log do to live traffic? (500 events a second, one by one, from `publish` to the first attempt; a sink that takes 5 ms; beside it a replay of 1 million events at 2,000 a second, once of all of them and once of one in a thousand, which reads as fast as it may)',
  variants: { without, wide, narrow },
  targets: (['wide', 'narrow'] as const).map((name) => ({
    says: `99th percentile beside a ${name} replay, of what is allowed (10 ms, or twice that without)`,
    value: (of) => of[name]!['p99Ms']! / limitMs(of),
    at: 'most',
    goal: 1,
  })),
}
