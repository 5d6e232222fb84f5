import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { inFlight, type Question, secondsOf, someEvents, type Variant } from './harness.ts'

/** Publishes in groups of `size`, `width` callers at a time. */
function publishing(size: number, width: number): Variant {
  return async (context) => {
    const total = context.size(300_000, 30_000)
    await using pipeline = await openPipeline({
      store: sqlite({ path: join(context.directory, 'events.db') }),
      subscriptions: {},
    })
    const events = someEvents(total)
    const groups = Array.from({ length: total / size }, (_, index) => events.slice(index * size, (index + 1) * size))
    const seconds = await secondsOf(() =>
      inFlight(groups.length, width, (index) =>
        size === 1 ? pipeline.publish(groups[index]![0]!) : pipeline.publish(groups[index]!),
      ),
    )
    return { perSecond: total / seconds }
  }
}

export const question: Question = {
  ask: 'What does it cost to publish events one by one? (256 callers that each wait for their own event to be on disk, against batches of 1,000)',
  variants: { batch: publishing(1_000, 8), single: publishing(1, 256) },
  targets: [
    {
      says: 'share of the batch rate',
      value: (of) => of['single']!['perSecond']! / of['batch']!['perSecond']!,
      at: 'least',
      goal: 0.4,
    },
  ],
}
