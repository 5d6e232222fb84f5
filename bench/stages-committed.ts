import { join } from 'node:path'
import { openPipeline, stage } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, someEvent, type VariantContext } from './harness.ts'
import { checkBooks, nothing, publishMany } from './pipelines.ts'

const settings = { asDeclared: {}, wide: { concurrency: 64, buffer: 64 } } as const

/** Publishes and delivers through three stages that do nothing, each stored before the next one begins. */
async function run(context: VariantContext, width: keyof typeof settings): Promise<Record<string, number>> {
  const total = context.size(100_000, 5_000)
  const step = (name: string) => stage(name, () => undefined, settings[width])
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(context.directory, 'events.db') }),
    subscriptions: { staged: { stages: [step('one'), step('two'), step('three')], sink: nothing({}) } },
  })
  const seconds = await secondsOf(async () => {
    await publishMany(pipeline, total, someEvent)
    await pipeline.idle()
  })
  await checkBooks(pipeline, total)
  return { perSecond: total / seconds }
}

export const question: Question = {
  ask: 'How many deliveries a second go through three stages, each stored on disk before the next one begins? (publish in batches of 1,000, stages and sink do nothing, until all is settled; one variant with stages as they are by default, one with 64 calls at a time)',
  variants: {
    asDeclared: (context) => run(context, 'asDeclared'),
    wide: (context) => run(context, 'wide'),
  },
  targets: [
    {
      says: 'deliveries per second, stages as they are by default',
      value: (of) => of['asDeclared']!['perSecond']!,
      at: 'least',
      goal: 15_000,
      holdsQuick: false,
    },
  ],
}
