// A product that offers webhooks to its customers: `node product.ts` in this folder.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createCatalogue, openPipeline } from 'millrace'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'
import { Webhook } from 'standardwebhooks'

// The side of the customers: each verifies with the secret that it was shown.
const secrets = new Map<string, string>()
let arrived = 0
const receiver = createServer(async (request, response) => {
  const customer = request.url!.slice(1)
  const body = await text(request)
  const headers = request.headers as Record<string, string>
  const event = new Webhook(secrets.get(customer)!).verify(body, headers) as { type: string; id: string }
  console.log(`${customer} verified ${event.type}${event.type === 'millrace.test' ? '' : ` ${event.id}`}`)
  response.writeHead(204).end()
  arrived += 1
})
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
const { port } = receiver.address() as AddressInfo

// The side of the product. Its catalogue says with what stored subscriptions are made again after a restart.
const pipeline = await openPipeline(
  {
    store: sqlite({ path: '.millrace/events.db' }),
    // The customers of this example are on this machine; real ones have public addresses.
    egress: { allow: [`127.0.0.1:${port}`] },
  },
  { catalogue: createCatalogue([webhook]) },
)

/** What the page "Add an endpoint" of the product does. */
async function addEndpoint(customer: string, types: string[]): Promise<void> {
  const { secret, isNew } = await pipeline.subscribe(customer, {
    match: types,
    // An index finds the endpoints of an event by this, however many there are.
    where: `meta.tenant == "${customer}"`,
    sink: webhook({ url: `http://127.0.0.1:${port}/${customer}` }),
  })
  // Shown once. The product shows it to the customer and keeps nothing.
  if (secret !== undefined) secrets.set(customer, secret)
  console.log(`${customer} has ${isNew ? 'a new endpoint' : 'a changed endpoint'}`)
  const { outcome, detail } = await pipeline.testDelivery(customer)
  console.log(`test of ${customer}: ${outcome}, status ${detail?.['status']}`)
}

const order = (id: string, tenant: string) => ({
  source: 'shop',
  id,
  type: 'order.placed',
  meta: { tenant },
  data: { id },
})

await addEndpoint('acme', ['order.*'])
await addEndpoint('globex', ['invoice.*'])
await pipeline.publish([order('1', 'acme'), order('2', 'globex'), order('3', 'initech')])
await pipeline.idle()

// The same name again changes the endpoint: it goes on from its place, with its secret.
await addEndpoint('globex', ['invoice.*', 'order.*'])
await pipeline.publish(order('4', 'globex'))
await pipeline.idle()

// A secret got out: both are good for a day, so that the customer has time to change.
const { secret, oldUntil } = await pipeline.rotateSecret('acme', { overlap: '24h' })
secrets.set('acme', secret)
console.log(
  `acme has a new secret; the old one ends in ${Math.round((Date.parse(oldUntil) - Date.now()) / 3_600_000)} hours`,
)
await pipeline.publish(order('5', 'acme'))
await pipeline.idle()

await pipeline.unsubscribe('globex')
console.log(`left: ${(await pipeline.subscriptions()).map(({ name }) => name).join(', ')}; ${arrived} requests`)
await pipeline.unsubscribe('acme')
await pipeline.stop()
receiver.close()
