import type { Pipeline } from 'millrace'
import { defineSink, schema } from 'millrace/plugin'
import { type BenchEvent, inFlight } from './harness.ts'

/** Takes an event and does nothing: what is left is the engine. */
export const nothing = defineSink({
  name: 'nothing',
  summary: 'Does nothing with an event.',
  options: schema.strictObject({}),
  example: {},
  delivers: 'nothing',
  create: () => ({ deliver: () => undefined }),
})

/** Publishes events made on the way, in batches of 1,000, eight at a time. */
export async function publishMany(
  pipeline: Pipeline,
  total: number,
  make: (index: number) => BenchEvent,
): Promise<void> {
  const size = Math.min(1_000, total)
  await inFlight(Math.ceil(total / size), 8, (batch) =>
    pipeline.publish(
      Array.from({ length: Math.min(size, total - batch * size) }, (_, index) => make(batch * size + index)),
    ),
  )
}

/** Throws unless the books balance and this many deliveries were made in all. */
export async function checkBooks(pipeline: Pipeline, delivered: number): Promise<void> {
  const audit = await pipeline.audit()
  const problems = [...audit.problems, ...audit.subscriptions.flatMap((subscription) => subscription.problems)]
  if (!audit.ok) throw new Error(`the books do not balance: ${problems.slice(0, 3).join('; ')}`)
  const sum = (await pipeline.subscriptions()).reduce((all, { counters }) => all + counters.delivered, 0)
  if (sum !== delivered) throw new Error(`delivered ${sum} of ${delivered}`)
}
