import { join } from 'node:path'
import { type Event, openPipeline, type Pipeline, projection } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { type Question, secondsOf, type Variant } from './harness.ts'
import { publishMany } from './pipelines.ts'

const balances = projection('balances', {
  match: ['account.*'],
  initial: { balance: 0, entries: 0 },
  fold: ({ balance, entries }, { data }: Event<{ amount: number }>) => ({
    balance: balance + data.amount,
    entries: entries + 1,
  }),
})

/** Throws unless every event counts once. */
async function checkState(pipeline: Pipeline, total: number, keys: number): Promise<void> {
  const audit = await pipeline.audit()
  if (!audit.ok) throw new Error('the books do not balance')
  let [entries, found] = [0, 0]
  for await (const { value } of balances.of(pipeline).entries()) {
    entries += value.entries
    found += 1
  }
  if (entries !== total || found !== keys) throw new Error(`folded ${entries} of ${total} over ${found} keys`)
}

function rebuilding(keys: number, quickKeys: number): Variant {
  return async (context) => {
    const total = context.size(1_000_000, 20_000)
    const distinct = context.size(keys, quickKeys)
    await using pipeline = await openPipeline({
      store: sqlite({ path: join(context.directory, 'events.db') }),
      subscriptions: { balances },
    })
    const live = await secondsOf(async () => {
      await publishMany(pipeline, total, (index) => ({
        source: 'bench',
        id: `e${index}`,
        type: 'account.paid',
        // Every key in turn: each event finds another state than the one before.
        subject: `account-${(index * 7919) % distinct}`,
        data: { amount: (index % 100) - 50 },
      }))
      await pipeline.idle()
    })
    const seconds = await secondsOf(async () => {
      await pipeline.rebuild('balances')
      await pipeline.rebuilt('balances')
    })
    await checkState(pipeline, total, distinct)
    return {
      perSecond: total / seconds,
      publishAndFoldPerSecond: total / live,
      peakRssMib: process.resourceUsage().maxRSS / 1024,
    }
  }
}

export const question: Question = {
  ask: 'How fast is a projection rebuilt beside the live one? (1 million stored events, every state on disk, from the call until the rebuilt one has taken its place and every event is in it once)',
  variants: { keys1000: rebuilding(1000, 100), keys100000: rebuilding(100_000, 5000) },
  targets: [
    {
      says: 'events per second over 1,000 keys',
      value: (of) => of['keys1000']!['perSecond']!,
      at: 'least',
      goal: 100_000,
      holdsQuick: false,
    },
    {
      says: 'events per second over 100,000 keys',
      value: (of) => of['keys100000']!['perSecond']!,
      at: 'least',
      goal: 50_000,
      holdsQuick: false,
    },
  ],
}
