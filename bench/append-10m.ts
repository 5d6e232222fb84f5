import { join } from 'node:path'
import { openPipeline, type Pipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { appendChunk, chunkEvents, publishing, rateOf } from './append-batch.ts'
import type { Measures, Question, VariantContext } from './harness.ts'

function openIn(directory: string, name: string): Promise<Pipeline> {
  return openPipeline({ store: sqlite({ path: join(directory, name) }), subscriptions: {} })
}

/**
 * Fills a store to nine tenths; then the last tenth and the first of a store beside it take turns, chunk by chunk, so that a
 * machine that becomes slower meanwhile is slower for both.
 */
async function growing({ directory, size }: VariantContext): Promise<Measures> {
  const total = size(10_000_000, 500_000)
  await using large = await openIn(directory, 'large.db')
  const filling: number[] = []
  let next = 0
  for (; next < 0.9 * total; next += chunkEvents) filling.push(await appendChunk(next, publishing(large)))
  await using small = await openIn(directory, 'small.db')
  const [last, first]: [number[], number[]] = [[], []]
  for (let done = 0; done < total / 10; done += chunkEvents) {
    last.push(await appendChunk(next + done, publishing(large)))
    first.push(await appendChunk(done, publishing(small)))
  }
  const [head, smallHead] = [large.stats().head, small.stats().head]
  if (head !== total || smallHead !== total / 10) throw new Error(`the logs have ${head} and ${smallHead} events`)
  return {
    fillingPerSecond: rateOf(filling),
    lastTenthPerSecond: rateOf(last),
    firstTenthPerSecond: rateOf(first),
  }
}

export const question: Question = {
  ask: 'Does appending slow down as the log grows? (batches of 1,000 random ids up to 10 million events; the last million against the first million of a store beside it, taking turns)',
  isLong: true,
  variants: { millrace: growing },
  targets: [
    {
      says: 'rate of the last tenth, as a share of the first',
      value: (of) => of['millrace']!['lastTenthPerSecond']! / of['millrace']!['firstTenthPerSecond']!,
      at: 'least',
      goal: 0.75,
      holdsQuick: false,
    },
  ],
}
