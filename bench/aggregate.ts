import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { aggregate } from 'millrace/stages/aggregate'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, type Variant } from './harness.ts'
import { publishMany } from './pipelines.ts'

const run: Variant = async (context) => {
  const total = context.size(400_000, 20_000)
  const keys = context.size(100_000, 5_000)
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(context.directory, 'events.db'), cacheSize: '32MiB' }),
    subscriptions: {
      sums: {
        match: ['reading.taken'],
        stages: [
          {
            use: aggregate({ by: 'event.subject', value: 'data.celsius', count: 1_000_000, eventType: 'device.sum' }),
            concurrency: 16,
            buffer: 64,
          },
        ],
      },
    },
  })
  const seconds = await secondsOf(async () => {
    await publishMany(pipeline, total, (index) => ({
      source: 'bench',
      id: `r${index}`,
      type: 'reading.taken',
      // Every key in turn: each event finds another value than the one before.
      subject: `device-${(index * 7919) % keys}`,
      data: { celsius: 20 + (index % 10) },
    }))
    await pipeline.idle()
  })
  const audit = await pipeline.audit()
  if (!audit.ok) throw new Error('the books do not balance')
  let counted = 0
  for (let after: string | undefined; ; ) {
    const page = await pipeline.store.kept('sums', { stage: 'aggregate', after, limit: 10_000 })
    for (const { value } of page) counted += (JSON.parse(value!) as { count: number }).count
    if (page.length < 10_000) break
    after = page.at(-1)!.key
  }
  if (counted !== total) throw new Error(`counted ${counted} of ${total}`)
  return { perSecond: total / seconds, peakRssMib: process.resourceUsage().maxRSS / 1024 }
}

export const question: Question = {
  ask: 'How fast are events aggregated over 100,000 keys, every sum on disk with the delivery that changed it? (publish in batches of 1,000 until all is settled and every event is counted once; once with the heap that Node takes by itself on this machine, once with --max-old-space-size=96 --max-semi-space-size=2)',
  isBuilt: true,
  variants: { run, small: run },
  flags: { small: ['--max-semi-space-size=2', '--max-old-space-size=96'] },
  targets: [
    {
      says: 'events per second',
      value: (of) => of['run']!['perSecond']!,
      at: 'least',
      goal: 20_000,
      holdsQuick: false,
    },
    {
      says: 'the same in a heap of 96 MiB',
      value: (of) => of['small']!['perSecond']!,
      at: 'least',
      goal: 20_000,
      holdsQuick: false,
    },
    {
      says: 'peak resident MiB in a heap of 96 MiB',
      value: (of) => of['small']!['peakRssMib']!,
      at: 'most',
      goal: 300,
      holdsQuick: false,
    },
  ],
}
