// A small order system: `node shop.ts` in this folder.
import { openPipeline, stage } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import orderSaga from './order-saga.ts'

const pipeline = await openPipeline({
  store: sqlite({ path: '.millrace/events.db' }),
  subscriptions: {
    orders: { match: ['order.placed', 'parcel.*'], stages: [orderSaga] },
    mails: {
      match: ['order.completed', 'order.cancelled'],
      stages: [
        stage('mail', ({ event }) => {
          const { reason } = event.data as { reason?: string }
          console.log(`${event.subject}: ${event.type}${reason === undefined ? '' : ` (${reason})`}`)
        }),
      ],
    },
  },
})

async function publish(type: string, order: string, data?: object): Promise<void> {
  await pipeline.publish({ source: 'shop', id: `${type} ${order}`, type, subject: order, data })
  await pipeline.idle()
}

// All goes well.
await publish('order.placed', 'order-1', { chairs: 2, total: 120 })
await publish('parcel.packed', 'order-1')
// The payment fails: what was reserved is given back.
await publish('order.placed', 'order-2', { chairs: 3, total: 4000 })
// Something fails after the payment: that is given back first.
await publish('order.placed', 'order-3', { chairs: 3, total: 300 })
await publish('parcel.damaged', 'order-3')
// Nothing was done, so nothing is given back.
await publish('order.placed', 'order-4', { chairs: 9, total: 900 })

await pipeline.stop()
