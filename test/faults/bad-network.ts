import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** What the network does to a connection. */
export type Fault = 'none' | 'refuse' | 'cut-request' | 'cut-answer' | 'swallow-answer' | 'busy'

const busy =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Type: application/problem+json\r\nContent-Length: 21\r\nConnection: close\r\n\r\n{"code":"overloaded"}'

/**
 * A network between a client and a server, in which each connection suffers what `next` says:
 * - `refuse`: it ends before anything of it reaches the server.
 * - `cut-request`: the server gets half of the request.
 * - `cut-answer`: the server has answered, so it has committed, and the client gets half of the answer.
 * - `swallow-answer`: the same, and nothing of it.
 * - `busy`: somebody in between answers 503.
 */
export async function openBadNetwork(toPort: number, next: () => Fault): Promise<{ readonly url: string }> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const fault = next()
    const keep = (socket: Socket): Socket => {
      sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
      return socket
    }
    keep(client)
    if (fault === 'refuse') client.resetAndDestroy()
    else if (fault === 'busy') client.once('data', () => client.end(busy))
    else carry(client, keep(connect(toPort, '127.0.0.1')), fault)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function carry(client: Socket, upstream: Socket, fault: Fault): void {
  const cut = (): void => {
    client.resetAndDestroy()
    upstream.resetAndDestroy()
  }
  upstream.on('error', () => client.destroy())
  client.on('close', () => upstream.destroy())
  upstream.on('close', () => client.destroy())
  client.on('data', (bytes) => {
    if (fault !== 'cut-request') {
      upstream.write(bytes)
      return
    }
    upstream.write(bytes.subarray(0, bytes.length >> 1), cut)
  })
  upstream.on('data', (bytes) => {
    if (fault === 'swallow-answer') cut()
    else if (fault === 'cut-answer') client.write(bytes.subarray(0, bytes.length >> 1), cut)
    else client.write(bytes)
  })
}
