// A process that takes in and delivers events without a pause, and says how much memory it has. Argument: the path of the file.
import { openPipeline } from 'millrace'
import { defineSink, schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'

const batch = 1_000
const nothing = defineSink({
  name: 'nothing',
  summary: 'Takes everything.',
  delivers: 'nothing',
  options: schema.strictObject({}),
  example: {},
  batch,
  create: () => ({ deliver: () => undefined }),
})
const pipeline = await openPipeline({
  store: sqlite({ path: process.argv[2]! }),
  subscriptions: { all: { sink: nothing({}) } },
})
const text = 'x'.repeat(200)
let published = 0
for (const total of [60_000, 180_000]) {
  while (published < total) {
    const from = published
    published += 4 * batch
    await Promise.all(
      [0, 1, 2, 3].map((part) =>
        pipeline.publish(
          Array.from({ length: batch }, (_, index) => {
            const n = from + part * batch + index
            return { source: 'shop', id: `order ${n} of this run`, type: 'order.placed', data: { n, text } }
          }),
        ),
      ),
    )
  }
  await pipeline.idle()
  const { counters } = await pipeline.subscription('all')
  console.log(`after ${JSON.stringify({ total, delivered: counters.delivered, rss: process.memoryUsage().rss })}`)
}
await pipeline.stop()
