import { type EventOf, openPipeline, stage } from 'millrace'
import { consoleSink } from 'millrace/sinks/console'
import { memory } from 'millrace/stores/memory'
import { z } from 'zod'

// Checked by `tsc` alone: each line after an expected error must not compile, or the check of types fails.

const events = {
  'order.placed': z.object({ total: z.number() }),
  'order.item.added': z.object({ sku: z.string() }),
  'user.joined': z.object({ name: z.string() }),
}
type Shop = typeof events

export async function declared(): Promise<void> {
  await using pipeline = await openPipeline({
    store: memory(),
    events,
    subscriptions: {
      placed: {
        match: ['order.placed'],
        stages: [
          stage<EventOf<Shop, 'order.placed'>>('total', ({ event }) => {
            const total: number = event.data.total
            // @ts-expect-error a field that the data does not have
            const sum: number = event.data.sum
            return { outcome: 'ack', context: { total, sum } }
          }),
        ],
        sink: consoleSink(),
      },
      orders: {
        match: ['order.*'],
        stages: [
          stage<EventOf<Shop, 'order.*'>>('either', async ({ event, context }) => {
            if (event.type === 'order.placed')
              return { outcome: 'ack', context: { ...context, total: event.data.total } }
            const sku: string = event.data.sku
            return { outcome: 'ack', context: { sku } }
          }),
        ],
      },
      items: { match: ['order.item.*', 'millrace.dead'] },
      all: { stages: [stage('any', ({ event }) => void event.type)] },
    },
  })
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: { total: 5 } })
  await pipeline.publish([{ source: 'shop', id: '2', type: 'user.joined', data: { name: 'Ada' } }])
  pipeline.emit({ source: 'shop', id: '3', type: 'order.item.added', data: { sku: 'a' } })
  // @ts-expect-error data of another type
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: { name: 'Ada' } })
  // @ts-expect-error a type that is not declared
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.plased', data: { total: 5 } })
  // @ts-expect-error no data
  await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed' })
}

export async function wrongPatterns(): Promise<void> {
  // @ts-expect-error a pattern that no declared type fits
  await openPipeline({ store: memory(), events, subscriptions: { a: { match: ['oder.*'] } } })
  // @ts-expect-error a type that is not declared
  await openPipeline({ store: memory(), events, subscriptions: { a: { match: ['order.plased'] } } })
}

export async function undeclared(): Promise<void> {
  await using pipeline = await openPipeline({ store: memory(), subscriptions: { a: { match: ['anything.*'] } } })
  await pipeline.publish({ source: 'shop', id: '1', type: 'what.ever', data: 5 })
}
