import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, someEvent, type Variant } from './harness.ts'
import { checkBooks, nothing, publishMany } from './pipelines.ts'

/** Events of 1,000 types; each type has one subscription, or all of them have the same one. */
function fan(subscriptions: Readonly<Record<string, { readonly match: readonly string[] }>>): Variant {
  return async (context) => {
    const total = context.size(300_000, 20_000)
    await using pipeline = await openPipeline({
      store: sqlite({ path: join(context.directory, 'events.db') }),
      subscriptions: Object.fromEntries(
        Object.entries(subscriptions).map(([name, { match }]) => [name, { match: [...match], sink: nothing({}) }]),
      ),
    })
    const seconds = await secondsOf(async () => {
      await publishMany(pipeline, total, (index) => someEvent(index, `kind.t${index % 1_000}`))
      await pipeline.idle()
    })
    await checkBooks(pipeline, total)
    return { perSecond: total / seconds }
  }
}

const thousand = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, index) => [`s${index}`, { match: [`kind.t${index}`] }]),
)

export const question: Question = {
  ask: 'What do subscriptions cost that an event does not match? (1,000 subscriptions, each event matches exactly one, against one subscription that matches all)',
  variants: { one: fan({ all: { match: ['kind.*'] } }), thousand: fan(thousand) },
  targets: [
    {
      says: 'share of the rate with one',
      value: (of) => of['thousand']!['perSecond']! / of['one']!['perSecond']!,
      at: 'least',
      goal: 0.7,
      holdsQuick: false,
    },
  ],
}
