// Somebody else's API: orders by time of change. It is busy at first, has two orders of one second, and one that comes late.
import { createServer } from 'node:http'
import { defineSource, schema } from 'millrace/plugin'

interface Order {
  readonly no: string
  readonly version: number
  readonly status: string
  readonly total: number
  readonly updated_at: string
}

/** Answers the orders that changed at or after the given time; the list grows while it is asked. */
function createApi() {
  const began = Date.now()
  const at = (seconds: number): string => new Date(began + seconds * 1000).toISOString().replace(/\.\d+/, '')
  const orders: Order[] = [
    { no: 'A-1', version: 1, status: 'placed', total: 120, updated_at: at(-90) },
    { no: 'A-2', version: 1, status: 'placed', total: 80, updated_at: at(-30) },
  ]
  let asked = 0
  return (since: string): readonly Order[] | undefined => {
    asked += 1
    if (asked === 1) return undefined
    // In the same second as one that was given already.
    if (asked === 3) orders.push({ no: 'A-3', version: 1, status: 'placed', total: 45, updated_at: at(-30) })
    // An older order that is seen only now, and a change of one that was given before.
    if (asked === 4) orders.push({ no: 'A-4', version: 1, status: 'placed', total: 15, updated_at: at(-60) })
    if (asked === 4) orders.push({ no: 'A-1', version: 2, status: 'paid', total: 120, updated_at: at(0) })
    const found = orders.filter(({ updated_at }) => Date.parse(updated_at) >= Date.parse(since))
    return found.toSorted((a, b) => a.updated_at.localeCompare(b.updated_at))
  }
}

// A source that brings nothing in, so that it starts and ends with the pipeline.
export default defineSource({
  name: 'api',
  summary: 'A small HTTP API that lists orders by time of change.',
  options: schema.strictObject({
    port: schema.string().describe('The port on 127.0.0.1; text, so that it may come from the environment'),
  }),
  example: { port: '7119' },
  create: ({ port }) => ({
    async *read(_cursor, { signal }) {
      const ordersSince = createApi()
      const server = createServer((request, response) => {
        const url = new URL(request.url ?? '/', 'http://api')
        const orders = ordersSince(url.searchParams.get('updated_since') ?? '1970-01-01')
        if (orders === undefined) response.writeHead(503, { 'retry-after': '1' }).end()
        else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ orders }))
      })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(Number(port), '127.0.0.1', resolve)
      })
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        else signal.addEventListener('abort', () => resolve(), { once: true })
      })
      server.closeAllConnections()
      server.close()
      yield* []
    },
  }),
})
