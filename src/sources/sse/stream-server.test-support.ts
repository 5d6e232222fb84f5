import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** One request to the stream, and what the test answers with. */
export interface StreamRequest {
  readonly lastId: string | undefined
  readonly headers: IncomingMessage['headers']
  /** Begins the stream, or answers with a status. */
  begin(status?: number, headers?: Record<string, string>): void
  write(text: string | Uint8Array): void
  end(): void
  /** Breaks the connection in the middle. */
  cut(): void
  /** Resolves when the reader has gone. */
  readonly gone: Promise<unknown>
}

/** A server on 127.0.0.1 that does with each request what the test says; it ends with the test. */
export async function openStreamServer(answer: (request: StreamRequest, count: number) => void): Promise<{
  readonly url: string
  readonly requests: readonly StreamRequest[]
}> {
  const requests: StreamRequest[] = []
  const server = createServer((message, response) => {
    const request = requestOf(message, response)
    requests.push(request)
    answer(request, requests.length)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/stream`, requests }
}

function requestOf(message: IncomingMessage, response: ServerResponse): StreamRequest {
  const lastId = message.headers['last-event-id']
  return {
    lastId: typeof lastId === 'string' ? lastId : undefined,
    headers: message.headers,
    begin(status = 200, headers = { 'content-type': 'text/event-stream' }) {
      response.writeHead(status, headers)
      response.flushHeaders()
    },
    write: (text) => void response.write(text),
    end: () => void response.end(),
    cut: () => void message.socket.destroy(),
    gone: once(response, 'close'),
  }
}
