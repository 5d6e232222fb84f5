import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ViewConnection } from '../runtime/api.ts'

/** Streams under way, so that they end when the server drains: they would never end by themselves. */
export interface LiveStreams {
  add(stream: ViewConnection): void
  delete(stream: ViewConnection): void
  readonly size: number
}

/** No streams yet. From the signal on every stream is ended, also one that is added later. */
export function createLiveStreams(draining: AbortSignal): LiveStreams {
  const streams = new Set<ViewConnection>()
  draining.addEventListener('abort', () => {
    for (const stream of [...streams]) stream.end()
  })
  return {
    add(stream) {
      streams.add(stream)
      if (draining.aborted) stream.end()
    },
    delete: (stream) => void streams.delete(stream),
    get size() {
      return streams.size
    },
  }
}

/** Answers with a stream that goes on until one side ends it. */
export function writeLive(
  message: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  live: ViewConnection,
  streams: LiveStreams,
): void {
  // One that went away is noticed by the system, and its place is free again.
  message.socket.setKeepAlive(true, 30_000)
  message.resume()
  response.writeHead(status, [...headers])
  response.on('drain', () => live.resume())
  response.on('error', () => undefined)
  response.on('close', () => {
    streams.delete(live)
    live.close()
  })
  live.open({
    write: (bytes) => response.write(bytes),
    end: () => response.end(),
    cut: () => response.destroy(),
  })
  if (response.destroyed) live.close()
  else streams.add(live)
}

/** The same for a fetch `Response`: who reads its body makes room. */
export function liveBody(live: ViewConnection, streams: LiveStreams): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        live.open({
          write(bytes) {
            // The bytes are shared with other clients, and what the application does with its own is its matter.
            controller.enqueue(bytes.slice())
            return (controller.desiredSize ?? 0) > 0
          },
          end: () => controller.close(),
          cut: () => controller.error(new Error('the stream was cut off: nothing was read for too long')),
        })
        streams.add(live)
      },
      pull: () => live.resume(),
      cancel() {
        streams.delete(live)
        live.close()
      },
    },
    { highWaterMark: queuedBytes, size: (bytes) => bytes?.byteLength ?? 0 },
  )
}

/** What a fetch body holds before its reader must take some: as much as a socket does. */
const queuedBytes = 64 * 1024
