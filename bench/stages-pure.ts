import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { filter } from 'millrace/stages/filter'
import { map } from 'millrace/stages/map'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, someEvent, type VariantContext } from './harness.ts'
import { checkBooks, nothing, publishMany } from './pipelines.ts'

type Stages = NonNullable<NonNullable<Parameters<typeof openPipeline>[0]['subscriptions']>[string]['stages']>

async function run(context: VariantContext, stages: Stages): Promise<Record<string, number>> {
  const total = context.size(1_000_000, 10_000)
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(context.directory, 'events.db') }),
    subscriptions: { one: { stages, sink: nothing({}) } },
  })
  const seconds = await secondsOf(async () => {
    await publishMany(pipeline, total, someEvent)
    await pipeline.idle()
  })
  await checkBooks(pipeline, total)
  return { perSecond: total / seconds }
}

export const question: Question = {
  ask: 'What do three pure stages cost? (filter, map, map on an event of 220 bytes of which every one passes, against the same subscription without stages, whose sink looks at nothing; publish in batches of 1,000 until all is settled)',
  variants: {
    without: (context) => run(context, []),
    envelope: (context) =>
      run(context, [
        filter({ when: 'event.subject != "order-none"' }),
        { use: map({ type: '"order.seen"' }), name: 'rename' },
        { use: map({ subject: '"seen-" + event.subject' }), name: 'move' },
      ]),
    stages: (context) => {
      const small = map({ data: '{"number": data.number, "total": data.total, "city": data.customer.city}' })
      return run(context, [
        filter({ when: 'data.total > 100' }),
        { use: small, name: 'small' },
        { use: map({ type: '"order.seen"', meta: { channel: '"web"' } }), name: 'rename' },
      ])
    },
  },
  targets: [
    {
      says: 'share of the rate without stages, of stages that look at the envelope',
      value: (of) => of['envelope']!['perSecond']! / of['without']!['perSecond']!,
      at: 'least',
      goal: 0.7,
      holdsQuick: false,
    },
    {
      says: 'the same, of stages that read the data and write it anew',
      value: (of) => of['stages']!['perSecond']! / of['without']!['perSecond']!,
      at: 'least',
      goal: 0.7,
      holdsQuick: false,
    },
  ],
}
