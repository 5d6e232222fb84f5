// A process to be killed: publishes numbered events one after another and says each acknowledged one on stdout; its sinks
// append what they deliver to files, and a stage counts. Arguments: the folder, and where to go on counting.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { defineSink, schema } from 'millrace/plugin'
import { aggregate } from 'millrace/stages/aggregate'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, from] = process.argv.slice(2) as [string, string]

const recorder = defineSink({
  name: 'recorder',
  summary: 'Appends ids to a file.',
  delivers: 'At least once.',
  options: schema.strictObject({ file: schema.string() }),
  example: { file: 'delivered' },
  create: ({ file }) => {
    let calls = 0
    return {
      async deliver(deliveries) {
        calls += 1
        if (calls % 7 === 0) return deliveries.map(() => ({ outcome: 'retry', reason: 'every seventh' }))
        appendFileSync(join(folder, file), deliveries.map(({ event }) => `${event.subject} ${event.id}\n`).join(''))
        return undefined
      },
    }
  },
})

const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  subscriptions: {
    all: {
      sink: recorder({ file: 'delivered' }),
      start: 'beginning',
      retry: { attempts: 'unlimited', delays: ['5ms'] },
    },
    keyed: {
      match: ['odd.*'],
      sink: recorder({ file: 'in-order' }),
      ordering: 'key',
      start: 'beginning',
      retry: { attempts: 'unlimited', delays: ['5ms'] },
    },
    counted: {
      match: ['odd.*'],
      stages: [aggregate({ by: 'event.subject', count: 5, eventType: 'five.counted' })],
      start: 'beginning',
    },
  },
})
let next = Number(from)
const line = (async () => {
  for (;;) {
    const batch = Array.from({ length: 1 + (next % 20) }, () => {
      const n = next++
      return {
        source: 'test',
        id: String(n),
        type: n % 2 ? 'odd.number' : 'even.number',
        subject: `k${n % 5}`,
        data: { n, text: 'x'.repeat(n % 300) },
      }
    })
    const results = await pipeline.publish(batch)
    process.stdout.write(`${results.map(({ id, sequence, status }) => `${id}:${sequence}:${status}`).join('\n')}\n`)
  }
})()
process.on('SIGTERM', () => void pipeline.stop({ deadline: '5s' }).then(() => process.exit(0)))
await line.catch(() => undefined)
