import { openPipeline, type Pipeline } from 'millrace'
import { sse } from 'millrace/sinks/sse'
import { sqlite } from 'millrace/stores/sqlite'

const place = globalThis as { shopPipeline?: Promise<Pipeline> }

/** The one pipeline of this process: kept outside the module, which Next loads anew at each change while you develop. */
export function shopPipeline(): Promise<Pipeline> {
  place.shopPipeline ??= open()
  return place.shopPipeline
}

async function open(): Promise<Pipeline> {
  const pipeline = await openPipeline({
    store: sqlite({ path: './events.db' }),
    subscriptions: { feed: { sink: sse() } },
  })
  // Next ends when all that it answers has ended, and event streams end with the pipeline.
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void pipeline.stop({ deadline: '10s' }))
  return pipeline
}
