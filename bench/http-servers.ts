import { join } from 'node:path'
import { type Served, serveMillrace, serveModule } from './serve.ts'

/** Parses the same body and answers the same way, and keeps nothing. */
const bareServer = `
import { createServer } from 'node:http'
let sequence = 0
const server = createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  request.on('end', () => {
    const event = JSON.parse(Buffer.concat(parts).toString())
    const body = JSON.stringify({ id: event.id, source: event.source, status: 'stored', sequence: ++sequence, durability: 'disk' })
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
`

/** A `node:http` server that does of the work of Millrace only what every server has to. */
export function serveBare(): Promise<Served> {
  return serveModule(bareServer)
}

/** Millrace with its door open and nobody who wants the events. */
export function serveDoor(directory: string): Promise<Served> {
  return serveMillrace(directory, {
    store: { type: 'sqlite', path: join(directory, 'events.db') },
    sources: { api: { type: 'http' } },
    subscriptions: {},
  })
}
