import { createClient } from 'millrace/client'

interface Events {
  'order.placed': { total: number }
  'order.reminded': undefined
}

// A shop that goes on selling while the server of its events is away.
await using client = createClient<Events>({
  url: `http://127.0.0.1:${process.env['PORT'] ?? 7117}`,
  source: 'shop',
  onUnavailable: 'buffer',
  buffer: { path: process.env['BUFFER'] ?? './.millrace/shop.buffer', maxBytes: 64 * 2 ** 20 },
  onReplayed: (results) =>
    console.log(`the server has ${results.map(({ id, status }) => `${id} (${status})`).join(', ')}`),
})

const results = await client.publish([
  { type: 'order.placed', id: 'order-1', subject: 'order-1', data: { total: 120 } },
  { type: 'order.placed', id: 'order-2', subject: 'order-2', data: { total: 5 } },
  { type: 'order.reminded', id: 'order-1-reminder', subject: 'order-1', notBefore: new Date(Date.now() + 86_400_000) },
])
for (const { id, status } of results) console.log(`${id} is ${status}`)

await client.flush({ deadline: '1s' })
const { sent, inBuffer } = client.stats()
console.log(`${sent} sent, ${inBuffer.events} in the buffer`)
