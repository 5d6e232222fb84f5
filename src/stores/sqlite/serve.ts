import { parentPort } from 'node:worker_threads'
import { toWire } from './failure.ts'
import type { Reply, Request } from './protocol.ts'

/**
 * The worker's end of a port: each request is answered once, in order, also when it fails. The operations are made with the
 * first request, so that a failure to open is an answer and not the end of the thread.
 */
export function serve(open: () => object): void {
  let table: Record<string, (...args: never[]) => unknown> | undefined
  const port = parentPort
  if (port === null) return
  const answer = (reply: Reply): void => port.postMessage(reply)
  port.on('message', ({ id, op, args }: Request) => {
    try {
      table ??= open() as NonNullable<typeof table>
      const value = table[op]?.(...(args as never[]))
      if (value instanceof Promise) {
        value.then(
          (settled) => answer({ id, value: settled }),
          (error: unknown) => answer({ id, failure: toWire(error) }),
        )
      } else answer({ id, value })
    } catch (error) {
      answer({ id, failure: toWire(error) })
    }
  })
}
