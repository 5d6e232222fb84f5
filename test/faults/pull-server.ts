// A process to be killed: serves batches over HTTP. Arguments: the folder, the port, and which call is its last: it dies when
// what that call says is stored, before anybody is answered.
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { openServer } from 'millrace/server'
import { pull } from 'millrace/sinks/pull'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, port, last] = process.argv.slice(2) as [string, string, string | undefined]

const pipeline = await openPipeline({
  store: sqlite({ path: join(folder, 'events.db') }),
  subscriptions: { work: { sink: pull({ lease: '4s' }), start: 'beginning', ordering: 'key' } },
})
if (last !== undefined) {
  const batches = pipeline.batches('work')
  const dyingAfter =
    <Args extends unknown[], T>(name: string, call: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      const answer = await call.apply(batches, args)
      if (name === last) process.kill(process.pid, 'SIGKILL')
      return answer
    }
  Object.assign(batches, {
    fetchBatch: dyingAfter('fetch', batches.fetchBatch),
    confirm: dyingAfter('confirm', batches.confirm),
  })
}
const limits = { bodyBytes: 2 ** 20, batch: 10_000, depth: 64 }
const server = await openServer(pipeline, { host: '127.0.0.1', port: Number(port), limits })
process.on('SIGTERM', () => {
  void server.close(1000).then(() => pipeline.stop({ deadline: '5s' }))
})
process.stdout.write(`listening ${server.port}\n`)
