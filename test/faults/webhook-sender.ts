// A process to be killed: delivers sixty numbered events to a webhook. Arguments: the folder, the receiver's URL.
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, url] = process.argv.slice(2) as [string, string]

const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  egress: { allow: ['127.0.0.0/8'] },
  subscriptions: {
    hooks: {
      sink: webhook({ url }),
      start: 'beginning',
      concurrency: 64,
      retry: { attempts: 'unlimited', delays: ['20ms', '1h'] },
    },
  },
})
process.on('SIGTERM', () => void pipeline.stop({ deadline: '5s' }))
await pipeline.publish(
  Array.from({ length: 60 }, (_, n) => ({ source: 'shop', id: String(n), type: 'order.placed', data: { n } })),
)
process.stdout.write('published\n')
