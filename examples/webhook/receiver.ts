// The other side of a webhook: verifies what it gets, handles each event once, and is busy at the first request.
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { defineSource, schema } from 'millrace/plugin'
import { Webhook } from 'standardwebhooks'

interface OrderEvent {
  readonly type: string
  readonly id: string
  readonly data: unknown
}

/** A handler that answers 401 to a forgery, 503 once, and 204 from then on. */
function createReceiver(secret: string) {
  const verifier = new Webhook(secret)
  const handled = new Set<string>()
  let isBusy = true
  return async (request: IncomingMessage): Promise<number> => {
    // The raw body: its very bytes were signed.
    const body = await text(request)
    let event: OrderEvent
    try {
      event = verifier.verify(body, request.headers as Record<string, string>) as OrderEvent
    } catch {
      console.log('receiver: a request without a valid signature')
      return 401
    }
    const id = String(request.headers['webhook-id'])
    if (isBusy) {
      isBusy = false
      console.log(`receiver: ${event.type} ${event.id} verified as ${id}, but busy`)
      return 503
    }
    if (!handled.has(id)) console.log(`receiver: ${event.type} ${event.id} verified as ${id}`)
    handled.add(id)
    return 204
  }
}

// A source that brings nothing in, so that it starts and ends with the pipeline.
export default defineSource({
  name: 'receiver',
  summary: 'A small HTTP service that verifies the webhooks it gets.',
  options: schema.strictObject({
    port: schema.string().describe('The port on 127.0.0.1; text, so that it may come from the environment'),
    secret: schema.string().describe('The secret that both sides know'),
  }),
  example: { port: '7118', secret: 'whsec_…' },
  create: ({ port, secret }) => ({
    async *read(_cursor, { signal }) {
      const receive = createReceiver(secret)
      const server = createServer((request, response) => {
        receive(request).then(
          (status) => response.writeHead(status).end(),
          () => response.destroy(),
        )
      })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(Number(port), '127.0.0.1', resolve)
      })
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        else signal.addEventListener('abort', () => resolve(), { once: true })
      })
      server.closeAllConnections()
      server.close()
      yield* []
    },
  }),
})
