import { saga, steps } from 'millrace/stages/saga'
import { bank, warehouse } from './services.ts'

interface Order {
  readonly chairs: number
  readonly total: number
}

export default saga({
  start: 'order.placed',
  steps: steps<Order>()
    .step('reserve', {
      run: ({ event, key, idempotencyKey }) => warehouse.reserve(key, event.data.chairs, idempotencyKey),
      compensate: ({ event, key, idempotencyKey }) => warehouse.release(key, event.data.chairs, idempotencyKey),
    })
    .step('charge', {
      run: ({ event, key, idempotencyKey }) => bank.charge(key, event.data.total, idempotencyKey),
      compensate: ({ key, idempotencyKey }) => bank.refund(key, idempotencyKey),
      timeout: '10s',
    })
    .waitFor('packed', { event: 'parcel.packed', fail: 'parcel.damaged', timeout: '2d' })
    .step('ship', {
      run: ({ key, results, log, idempotencyKey }) => {
        log.info('shipping', { payment: results.charge.payment, packed: results.packed.id })
        return warehouse.ship(key, idempotencyKey)
      },
    }),
  completed: 'order.completed',
  compensated: ({ key, reason }) => ({ type: 'order.cancelled', subject: key, data: { reason } }),
})
