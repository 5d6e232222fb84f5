// The other side of a webhook. A source that brings nothing in, so that it starts and ends with the pipeline.
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { defineSource, schema } from 'millrace/plugin'

interface Received {
  readonly type: string
  readonly id: string
}

/** Checks a request by its secret, or says that nothing is checked: the package is there for development only. */
async function openVerifier(secret: string) {
  try {
    const { Webhook } = await import('standardwebhooks')
    const verifier = new Webhook(secret)
    return {
      word: 'verified',
      read: (body: string, headers: Record<string, string>) => verifier.verify(body, headers) as Received,
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    return { word: 'not verified (npm install standardwebhooks)', read: (body: string) => JSON.parse(body) as Received }
  }
}

/** Answers 401 to what the secret did not sign; prints each webhook once, also when it is sent again. */
async function createReceiver(secret: string) {
  const { word, read } = await openVerifier(secret)
  const handled = new Set<string>()
  return async (request: IncomingMessage): Promise<number> => {
    // The raw body: its very bytes were signed.
    const body = await text(request)
    let event: Received
    try {
      event = read(body, request.headers as Record<string, string>)
    } catch {
      console.log('receiver: refused a request without a valid signature')
      return 401
    }
    const id = String(request.headers['webhook-id'])
    if (!handled.has(id)) console.log(`receiver: ${event.type} ${event.id} ${word} as ${id}`)
    handled.add(id)
    return 204
  }
}

export default defineSource({
  name: 'receiver',
  summary: 'A small HTTP service that verifies and prints each webhook it gets.',
  options: schema.strictObject({
    port: schema.string().describe('The port on 127.0.0.1; text, so that it may come from the environment'),
    secret: schema.string().describe('The secret that both sides know'),
  }),
  example: { port: '7118', secret: 'whsec_…' },
  create: ({ port, secret }) => ({
    async *read(_cursor, { signal }) {
      const receive = await createReceiver(secret)
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
