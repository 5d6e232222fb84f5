// Stands for somebody else's service: it knows the tier of each customer.
import { createServer } from 'node:http'
import { defineSource, schema } from 'millrace/plugin'

const tiers: Readonly<Record<string, string>> = { ada: 'gold', bob: 'plain' }

// A source that brings nothing in, so that it starts and ends with the pipeline.
export default defineSource({
  name: 'customers',
  summary: 'A small HTTP API that knows customers.',
  options: schema.strictObject({
    port: schema.string().describe('The port on 127.0.0.1; text, so that it may come from the environment'),
  }),
  example: { port: '7120' },
  create: ({ port }) => ({
    async *read(_cursor, { signal }) {
      const server = createServer((request, response) => {
        const tier = tiers[request.url?.split('/').at(-1) ?? '']
        if (tier === undefined) response.writeHead(404).end()
        else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ tier }))
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
