// A process to be killed: a projection whose version is another one with each start, so that it is rebuilt beside the old
// state, under traffic. Arguments: the folder, the version, and the number of the first event that it publishes.
import { join } from 'node:path'
import { type Event, openPipeline, projection } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, version, first] = process.argv.slice(2) as [string, string, string]
const factor = Number(version)
const keys = 500

const sums = projection('sums', {
  match: ['paid'],
  initial: { sum: 0, count: 0 },
  fold: ({ sum, count }, { data }: Event<{ amount: number }>) => ({
    sum: sum + factor * data.amount,
    count: count + 1,
  }),
  version: factor,
})
const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  subscriptions: { sums },
})
let stopping = false
process.on('SIGTERM', () => {
  stopping = true
})
const events = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    source: 'test',
    id: String(from + n),
    type: 'paid',
    subject: `k${(from + n) % keys}`,
    data: { amount: 1 },
  }))
let next = Number(first)
if (next === 0) {
  for (; next < 20_000; next += 1000) await pipeline.publish(events(next, 1000))
  await pipeline.idle()
}
process.stdout.write('ready\n')
let state: string | undefined
while (!stopping) {
  await pipeline.publish(events(next, 20))
  next += 20
  process.stdout.write(`published ${next}\n`)
  const now = pipeline.rebuildStatus('sums')?.state
  if (now !== state) process.stdout.write(`${now}\n`)
  state = now
  await new Promise((resolve) => setTimeout(resolve, 5))
}
await pipeline.idle()
await pipeline.stop({ deadline: '5s' })
process.stdout.write('stopped\n')
