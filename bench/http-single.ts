import { join } from 'node:path'
import { type Measures, type Question, someEvent, type VariantContext } from './harness.ts'
import { load, postBytes } from './load.ts'
import { type Served, serveMillrace, serveModule } from './serve.ts'

/** Parses the same body and answers the same way, and keeps nothing. */
const bareServer = `
import { createServer } from 'node:http'
let sequence = 0
const server = createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    const event = JSON.parse(Buffer.concat(parts).toString())
    const body = JSON.stringify({ id: event.id, source: event.source, status: 'stored', sequence: ++sequence, durability: 'disk' })
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

async function against(served: Served, context: VariantContext): Promise<Measures> {
  try {
    const requests = (count: number): Buffer[] =>
      Array.from({ length: count }, (_, index) =>
        postBytes('/v1/events', served.port, JSON.stringify(someEvent(index))),
      )
    // Until what is hot is compiled: 5,000 were not enough for either server.
    await load(served.port, requests(context.size(50_000, 500)), 64)
    const { seconds, requests: count, statuses } = await load(served.port, requests(context.size(100_000, 5_000)), 64)
    if (statuses['201'] !== count) throw new Error(`of ${count} requests: ${JSON.stringify(statuses)}`)
    return { perSecond: count / seconds }
  } finally {
    await served.stop()
  }
}

export const question: Question = {
  ask: 'What does the HTTP door cost for single events? (64 connections, answer after the event is on disk, against a bare node:http server that parses the same body and keeps nothing; the load comes from another process on the same machine)',
  variants: {
    bare: async (context) => against(await serveModule(bareServer), context),
    millrace: async (context) =>
      against(
        await serveMillrace(context.directory, {
          store: { type: 'sqlite', path: join(context.directory, 'events.db') },
          sources: { api: { type: 'http' } },
          subscriptions: {},
        }),
        context,
      ),
  },
  targets: [
    {
      says: 'share of the bare server',
      value: (of) => of['millrace']!['perSecond']! / of['bare']!['perSecond']!,
      at: 'least',
      goal: 0.6,
    },
  ],
}
