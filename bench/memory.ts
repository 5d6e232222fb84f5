import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, someEvent, type Variant } from './harness.ts'
import { checkBooks, nothing, publishMany } from './pipelines.ts'

const mib = 2 ** 20

/** The largest resident size while so many events go all the way. */
function through(full: number, quick: number): Variant {
  return async (context) => {
    const total = context.size(full, quick)
    await using pipeline = await openPipeline({
      store: sqlite({ path: join(context.directory, 'events.db') }),
      subscriptions: { one: { sink: nothing({}) } },
    })
    await publishMany(pipeline, total, someEvent)
    await pipeline.idle()
    await checkBooks(pipeline, total)
    return { peakRssMib: process.resourceUsage().maxRSS / 1024, heapUsedMib: process.memoryUsage().heapUsed / mib }
  }
}

export const question: Question = {
  ask: 'Does memory stay where it is while events go on? (the largest resident size of a process that appends and delivers 2 million events, against one that stops after 400,000; the page cache at its default of 64 MiB)',
  variants: { '400k': through(400_000, 40_000), '2M': through(2_000_000, 80_000) },
  targets: [
    {
      says: 'of the size after 400,000',
      value: (of) => of['2M']!['peakRssMib']! / of['400k']!['peakRssMib']!,
      at: 'most',
      goal: 1.15,
      holdsQuick: false,
    },
  ],
}
