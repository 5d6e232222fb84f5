// A source that brings nothing in: it stands for somebody else's service, so that the webhook has somewhere to go.
import { createServer, type IncomingMessage } from 'node:http'
import { defineSource, schema } from 'millrace/plugin'

export default defineSource({
  name: 'receiver',
  summary: 'A small HTTP service that prints each webhook it gets.',
  options: schema.strictObject({
    port: schema.string().describe('The port on 127.0.0.1; text, so that it may come from the environment'),
  }),
  example: { port: '7118' },
  create: ({ port }) => ({
    async *read(_cursor, { signal }) {
      const server = createServer(async (request, response) => {
        const event = JSON.parse(await textOf(request)) as { type: string; id: string; data: unknown }
        console.log(
          `receiver: ${event.type} ${event.id} as ${request.headers['webhook-id']} ${JSON.stringify(event.data)}`,
        )
        response.writeHead(204).end()
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

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of request) text += String(part)
  return text
}
