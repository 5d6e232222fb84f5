import { join } from 'node:path'
import { type Question, someEvents } from './harness.ts'
import { load, postBytes } from './load.ts'
import { serveMillrace } from './serve.ts'

const batch = 100

export const question: Question = {
  ask: 'How many events a second come in over HTTP in batches of 100? (32 connections, answer after the commit is on disk)',
  variants: {
    millrace: async (context) => {
      const served = await serveMillrace(context.directory, {
        store: { type: 'sqlite', path: join(context.directory, 'events.db') },
        sources: { api: { type: 'http' } },
        subscriptions: {},
      })
      try {
        const total = context.size(500_000, 20_000)
        const requests = (events: number): Buffer[] =>
          Array.from({ length: events / batch }, (_, index) =>
            postBytes('/v1/events', served.port, JSON.stringify(someEvents(batch, index * batch))),
          )
        await load(served.port, requests(10_000), 32)
        const { seconds, requests: count, statuses } = await load(served.port, requests(total), 32)
        if (statuses['200'] !== count) throw new Error(`of ${count} requests: ${JSON.stringify(statuses)}`)
        return { eventsPerSecond: total / seconds }
      } finally {
        await served.stop()
      }
    },
  },
  targets: [
    {
      says: 'events per second',
      value: (of) => of['millrace']!['eventsPerSecond']!,
      at: 'least',
      goal: 80_000,
      holdsQuick: false,
    },
  ],
}
