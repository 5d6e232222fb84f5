// A process to be killed: replays what is in its store to a webhook, beside live traffic. Arguments: the folder, the
// receiver's URL, and the number of the first live event that it publishes.
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, url, first] = process.argv.slice(2) as [string, string, string]
const many = 400

const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  egress: { allow: ['127.0.0.0/8'] },
  subscriptions: {
    hooks: {
      match: ['order.*'],
      sink: webhook({ url }),
      start: 'beginning',
      concurrency: 16,
      retry: { attempts: 'unlimited', delays: ['20ms'] },
    },
  },
})
const event = (id: string) => ({ source: 'shop', id, type: 'order.placed', data: {} })
let stopping = false
process.on('SIGTERM', () => {
  stopping = true
})
if (first === '0') {
  await pipeline.publish(Array.from({ length: many }, (_, n) => event(`old-${n}`)))
  await pipeline.idle()
}
const [known] = await pipeline.replays('hooks')
const { id } = known ?? (await pipeline.replay('hooks', { from: 1, to: many, rate: '500/s' }))
process.stdout.write(`replaying ${id}\n`)
for (let n = Number(first); ; n++) {
  await pipeline.publish(event(`live-${n}`))
  process.stdout.write(`live ${n}\n`)
  const { state } = await pipeline.replayStatus('hooks', id)
  if (state === 'done' || stopping) break
  await new Promise((resolve) => setTimeout(resolve, 2))
}
await pipeline.idle()
await pipeline.stop({ deadline: '5s' })
process.stdout.write('stopped\n')
