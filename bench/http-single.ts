import { type Measures, type Question, someEvent, type VariantContext } from './harness.ts'
import { serveBare, serveDoor } from './http-servers.ts'
import { load, postBytes } from './load.ts'
import type { Served } from './serve.ts'

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
    bare: async (context) => against(await serveBare(), context),
    millrace: async (context) => against(await serveDoor(context.directory), context),
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
