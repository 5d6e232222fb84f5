// A process that one of its events kills: publishes twenty, of which one is deadly. Its user code appends what it handles to
// a file. Arguments: the folder, how it dies, and whether a sink or a stage is deadly.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineSink, openPipeline, stage } from 'millrace'
import { schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, death, where] = process.argv.slice(2) as [string, string, string]

function dieOf(id: string): void {
  if (id !== 'deadly') return
  if (death === 'exit') process.exit(3)
  if (death === 'abort') process.abort()
  for (const kept: unknown[] = []; ; ) kept.push(new Array(1_000_000).fill({}))
}

const sink = defineSink({
  name: 'deadly',
  summary: 'Appends ids to a file, and dies of one.',
  delivers: 'At least once.',
  runsUserCode: true,
  options: schema.strictObject({}).optional(),
  example: {},
  create: () => ({
    async deliver(deliveries) {
      await new Promise((resolve) => setImmediate(resolve))
      for (const { event } of deliveries) {
        if (where === 'sink') dieOf(event.id)
        appendFileSync(join(folder, 'delivered'), `${event.id}\n`)
      }
    },
  }),
})

const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  subscriptions: {
    work: {
      sink: sink(),
      start: 'beginning',
      stages: where === 'stage' ? [stage('step', async ({ event }) => dieOf(event.id))] : [],
    },
  },
})
await pipeline.publish(
  Array.from({ length: 20 }, (_, n) => ({ source: 'shop', id: n === 7 ? 'deadly' : String(n), type: 'order.placed' })),
)
while ((await pipeline.subscription('work')).open > 0) await pipeline.idle()
await pipeline.stop()
