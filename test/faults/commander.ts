// Runs a command for each event that must not run twice. Arguments: the path of the store, and of the file that says what ran.
import { openPipeline } from 'millrace'
import { command } from 'millrace/sinks/command'
import { sqlite } from 'millrace/stores/sqlite'

const [path, file] = process.argv.slice(2) as [string, string]
const script = 'echo "$MILLRACE_ID" >> "$FILE"; test "$MILLRACE_ID" != slow || sleep 60'
const pipeline = await openPipeline({
  store: sqlite({ path }),
  subscriptions: {
    pay: {
      start: 'beginning',
      sink: command({ command: ['sh', '-c', script], env: { FILE: file }, idempotent: false }),
    },
  },
})
for (const id of ['one', 'slow', 'two']) await pipeline.publish({ source: 'shop', id, type: 'order.placed' })
const countersNow = async () => (await pipeline.subscription('pay')).counters
let counters = await countersNow()
while (counters.delivered + counters.dead < 3) {
  await new Promise((resolve) => setTimeout(resolve, 10))
  counters = await countersNow()
}
const [dead] = await pipeline.dead('pay', { limit: 10 })
const { ok } = await pipeline.audit()
console.log(`done ${JSON.stringify({ delivered: counters.delivered, reason: dead?.reason, ok })}`)
await pipeline.stop()
