import { openPipeline, type Pipeline } from 'millrace'
import { sse } from 'millrace/sinks/sse'
import { sqlite } from 'millrace/stores/sqlite'

const place = globalThis as { shopPipeline?: Promise<Pipeline> }

/** The one pipeline of this process: kept outside the module, which Next loads anew at each change while you develop. */
export function shopPipeline(): Promise<Pipeline> {
  place.shopPipeline ??= openPipeline({
    store: sqlite({ path: './events.db' }),
    subscriptions: { feed: { sink: sse() } },
  })
  return place.shopPipeline
}
