// A process that owns a store until it is killed. Argument: the path of the file.
import { openPipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'

const pipeline = await openPipeline({ store: sqlite({ path: process.argv[2]! }) })
await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
console.log('open')
