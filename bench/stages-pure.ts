import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { defineSink, schema } from 'millrace/plugin'
import { filter } from 'millrace/stages/filter'
import { map } from 'millrace/stages/map'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, someEvent, type VariantContext } from './harness.ts'
import { checkBooks, nothing, publishMany } from './pipelines.ts'

type Stages = NonNullable<NonNullable<Parameters<typeof openPipeline>[0]['subscriptions']>[string]['stages']>

/** Does by hand what the variant `stages` does with its stages: looks at the data, and makes and writes new data. */
const byHand = defineSink({
  name: 'by-hand',
  summary: 'Reads the data of an event and writes it anew.',
  options: schema.strictObject({}),
  example: {},
  delivers: 'nothing',
  create: () => ({
    deliver: ([delivery]) => {
      const data = delivery!.event.data as { number: number; total: number; customer: { city: string } }
      if (!(data.total > 100)) return
      const changed = { number: data.number, total: data.total, city: data.customer.city }
      if (JSON.stringify(changed).length === 0 || JSON.stringify({ channel: 'web' }).length === 0)
        throw new Error('empty')
    },
  }),
})

async function run(
  context: VariantContext,
  stages: Stages,
  sink: ReturnType<typeof nothing> = nothing({}),
): Promise<Record<string, number>> {
  const total = context.size(1_000_000, 10_000)
  await using pipeline = await openPipeline({
    store: sqlite({ path: join(context.directory, 'events.db') }),
    subscriptions: { one: { stages, sink } },
  })
  const seconds = await secondsOf(async () => {
    await publishMany(pipeline, total, someEvent)
    await pipeline.idle()
  })
  await checkBooks(pipeline, total)
  return { perSecond: total / seconds }
}

export const question: Question = {
  ask: 'What do three pure stages cost? (filter, map, map on an event of 220 bytes of which every one passes, against the same subscription without stages, whose sink looks at nothing, or does the work of `stages` by hand; publish in batches of 1,000 until all is settled)',
  variants: {
    without: (context) => run(context, []),
    'by-hand': (context) => run(context, [], byHand({})),
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
    {
      says: 'stages that read the data and write it anew, against a sink that does so by hand',
      value: (of) => of['stages']!['perSecond']! / of['by-hand']!['perSecond']!,
      at: 'least',
      goal: 0.7,
      holdsQuick: false,
    },
  ],
}
