import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, someEvent } from './harness.ts'
import { checkBooks, nothing, publishMany } from './pipelines.ts'

export const question: Question = {
  ask: 'How fast does a new subscription work off a backlog? (1 million stored events, a sink that does nothing, from opening the store until all is settled)',
  variants: {
    millrace: async (context) => {
      const total = context.size(1_000_000, 50_000)
      const path = join(context.directory, 'events.db')
      const before = await openPipeline({ store: sqlite({ path }), subscriptions: {} })
      await publishMany(before, total, someEvent)
      await before.stop()
      const begin = performance.now()
      await using pipeline = await openPipeline({
        store: sqlite({ path }),
        subscriptions: { late: { start: 'beginning', sink: nothing({}) } },
      })
      const opened = (performance.now() - begin) / 1000
      const seconds = await secondsOf(() => pipeline.idle())
      await checkBooks(pipeline, total)
      return { perSecond: total / (opened + seconds), openMs: opened * 1000 }
    },
  },
  targets: [
    {
      says: 'events per second',
      value: (of) => of['millrace']!['perSecond']!,
      at: 'least',
      goal: 100_000,
      holdsQuick: false,
    },
  ],
}
