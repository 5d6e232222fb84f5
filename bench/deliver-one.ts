import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, someEvent } from './harness.ts'
import { checkBooks, nothing, publishMany } from './pipelines.ts'

export const question: Question = {
  ask: 'How many events a second go all the way? (publish in batches of 1,000, one subscription, a sink that does nothing, until every delivery is settled; then the audit must balance)',
  variants: {
    millrace: async (context) => {
      const total = context.size(500_000, 20_000)
      await using pipeline = await openPipeline({
        store: sqlite({ path: join(context.directory, 'events.db') }),
        subscriptions: { one: { sink: nothing({}) } },
      })
      const seconds = await secondsOf(async () => {
        await publishMany(pipeline, total, someEvent)
        await pipeline.idle()
      })
      await checkBooks(pipeline, total)
      return { perSecond: total / seconds }
    },
  },
  targets: [
    {
      says: 'events per second',
      value: (of) => of['millrace']!['perSecond']!,
      at: 'least',
      goal: 50_000,
      holdsQuick: false,
    },
  ],
}
