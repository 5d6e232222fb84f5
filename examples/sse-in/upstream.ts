// A source that brings nothing in: it stands for somebody else's server, whose event stream breaks after every third event.
import { createServer } from 'node:http'
import { defineSource, schema } from 'millrace/plugin'

const prices = [120, 121, 119, 118, 122, 125]

export default defineSource({
  name: 'upstream',
  summary: 'A small HTTP service with a stream of six prices.',
  options: schema.strictObject({
    port: schema.string().describe('The port on 127.0.0.1; text, so that it may come from the environment'),
  }),
  example: { port: '7118' },
  create: ({ port }) => ({
    async *read(_cursor, { signal }) {
      const server = createServer((request, response) => {
        const last = Number(request.headers['last-event-id'] ?? 0)
        console.log(`upstream: asked for what comes after ${last}`)
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('retry: 200\n\n')
        const more = prices.entries().drop(last).take(3)
        for (const [index, price] of more)
          response.write(
            `id: ${index + 1}\nevent: price.changed\ndata: ${JSON.stringify({ share: 'ACME', price })}\n\n`,
          )
        if (last + 3 < prices.length) response.end()
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
