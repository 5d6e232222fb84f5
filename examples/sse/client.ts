// Prints the orders of the stream. In a page, EventSource is there without the import.
import { EventSource } from 'eventsource'

const url = `http://127.0.0.1:${process.env['PORT'] ?? 7117}/v1/subscriptions/orders/stream?after=0`
const source = new EventSource(url)

interface Order {
  readonly sequence: string
  readonly type: string
  readonly subject: string
  readonly data: { readonly total: number }
}

for (const name of ['order.placed', 'order.shipped']) {
  source.addEventListener(name, (event) => {
    const { sequence, type, subject, data } = JSON.parse(String(event.data)) as Order
    console.log(`#${sequence} ${type} ${subject} ${data.total}`)
  })
}
source.addEventListener('gap', (event) => console.log(`something is missing: ${event.data}`))
source.addEventListener('open', () => console.log('connected'))
source.addEventListener('error', () => console.log('the connection was lost; it is tried again'))
