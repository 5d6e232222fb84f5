// A producer to be killed: publishes numbered events through a client with a buffer, several at once, and says each one that
// it was answered for on stdout. Arguments: the server's address, the buffer's path, where to begin counting.
import { createClient } from 'millrace/client'

const [url, path, from] = process.argv.slice(2) as [string, string, string]
const client = createClient({
  url,
  source: 'producer',
  onUnavailable: 'buffer',
  buffer: { path, maxBytes: 16 * 2 ** 20 },
  batch: { size: 50 },
  retry: { first: '5ms', most: '20ms' },
})
let next = Number(from)
const publisher = async (): Promise<void> => {
  for (;;) {
    const n = next++
    const { id, status } = await client.publish({ id: String(n), type: 'test.number', data: 'x'.repeat(n % 700) })
    process.stdout.write(`${id} ${status}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, publisher))
