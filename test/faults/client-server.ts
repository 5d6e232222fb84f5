// A server to be killed: a store on disk and the HTTP API. Arguments: the folder, the port.
import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { openServer } from 'millrace/server'
import { sqlite } from 'millrace/stores/sqlite'

const [folder, port] = process.argv.slice(2) as [string, string]
const pipeline = await openPipeline({ store: sqlite({ path: join(folder, 'events.db') }) })
const limits = { bodyBytes: 2 ** 20, batch: 1000, depth: 64 }
await openServer(pipeline, { host: '127.0.0.1', port: Number(port), limits })
process.stdout.write('ready\n')
