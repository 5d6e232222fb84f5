// A process to be stopped under load: publishes without end and says what is acknowledged; its sink notes the beginning and
// the end of each attempt in a file. With `drain` it publishes nothing, delivers what is left and stops. Arguments: the
// folder, `load` or `drain`. It never calls process.exit: what keeps it running after the stop is a bug.
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { AppError, defineSink, openPipeline } from 'millrace'
import { schema } from 'millrace/plugin'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, mode] = process.argv.slice(2) as [string, string]
const note = (text: string): void => appendFileSync(join(folder, 'attempts'), `${text}\n`)

const slow = defineSink({
  name: 'slow',
  summary: 'Takes its time.',
  delivers: 'At least once.',
  options: schema.strictObject({}).optional(),
  example: {},
  create: () => ({
    async deliver([delivery]) {
      const { id } = delivery!.event
      note(`begin ${id}`)
      await pause(20 + (Number(id) % 50))
      note(`end ${id}`)
    },
  }),
})

const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  subscriptions: {
    work: { sink: slow(), start: 'beginning', concurrency: mode === 'drain' ? 256 : 16 },
  },
})

process.once('SIGTERM', async () => {
  const twice = [pipeline.stop(), pipeline.stop({ deadline: '1ms' })]
  await Promise.all(twice)
  await pipeline.stop()
  console.log('stopped')
})

if (mode === 'drain') {
  while ((await pipeline.subscription('work')).open > 0) await pipeline.idle()
  await pipeline.stop()
} else {
  try {
    for (let next = 0; ; ) {
      const batch = Array.from({ length: 10 }, () => ({ source: 'shop', id: String(next++), type: 'order.placed' }))
      const results = await pipeline.publish(batch)
      console.log(results.map(({ id }) => `acked ${id}`).join('\n'))
      if (next === 300) console.log('under load')
      await pause(2)
    }
  } catch (error) {
    console.log(`refused ${error instanceof AppError ? error.code : String(error)}`)
  }
}
