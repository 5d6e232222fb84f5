import { parentPort } from 'node:worker_threads'
import { AppError, messageOf } from '../core/errors.ts'
import type { CheckedEvent } from '../core/event-check.ts'
import type { WireReply, WireRequest } from './body-reader.ts'
import { readBody } from './read-body.ts'

/** Events per message: the main thread takes one message a turn, and this many cost it about a millisecond. */
const eventsPerMessage = 250
/** What a message may weigh, roughly, whatever the number of its events. */
const bytesPerMessage = 512 * 1024

// The thread that reads large bodies, so that the event loop does not.
const port = parentPort
const send = (reply: WireReply): void => port?.postMessage(reply)
port?.on('message', ({ id, bytes, form, limits }: WireRequest) => {
  try {
    const { isBatch, result } = readBody(bytes, form, limits)
    if (!result.ok) {
      send({ id, kind: 'unreadable', isBatch, issues: result.issues })
      return
    }
    for (const events of portions(result.events)) send({ id, kind: 'events', events })
    send({ id, kind: 'end', isBatch })
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'internal'
    send({ id, kind: 'failed', code, message: messageOf(error) })
  }
})

function* portions(events: readonly CheckedEvent[]): Generator<readonly CheckedEvent[]> {
  let from = 0
  let size = 0
  for (const [index, checked] of events.entries()) {
    size += checked.ok ? (checked.record.data?.length ?? 0) + (checked.record.meta?.length ?? 0) : 0
    if (index + 1 - from < eventsPerMessage && size < bytesPerMessage) continue
    yield events.slice(from, index + 1)
    from = index + 1
    size = 0
  }
  if (from < events.length) yield events.slice(from)
}
