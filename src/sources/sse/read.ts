import type { Platform } from '../../core/platform.ts'
import type { SourceEvent } from '../../io/event-of.ts'
import type { HttpClient } from '../../io/http-client.ts'
import { createSseParser, type SseMessage } from '../../io/sse-parser.ts'
import type { SourceBatch, SourceContext } from '../../plugin/source.ts'
import { connect } from './connection.ts'
import { createMapping } from './events.ts'
import type { SseOptions } from './options.ts'

/** Events of one commit at most. */
const batchSize = 1_000
/** However little a server asks for. */
const leastWaitMs = 10

/**
 * Reads a stream for as long as there is one. Each connection goes on after the last id whose events are stored. A stream
 * that ends is asked for again after the server's `retry`, longer each time that nothing came; a connection that fails is an
 * error, so that health shows it.
 */
export function createReader(
  options: SseOptions,
  around: { readonly client: HttpClient; readonly platform: Platform },
): (cursor: string | undefined, context: SourceContext) => AsyncGenerator<SourceBatch, void> {
  let serverRetryMs: number | undefined
  // Kept between runs: the runtime starts the source again after an error.
  let fruitless = 0
  const waitMs = (): number => {
    const grown = Math.max(leastWaitMs, serverRetryMs ?? options.retry) * 2 ** Math.min(Math.max(0, fruitless - 1), 10)
    return Math.min(options.maxRetry, grown) * (1 - 0.2 * around.platform.random())
  }
  return async function* read(cursor, context) {
    let lastId = cursor ?? ''
    while (!context.signal.aborted) {
      const connection = await connect(options, lastId, { ...around, context })
      if (connection.kind === 'over') return
      fruitless += 1
      if (connection.kind === 'failed') {
        const askedMs = Math.min(options.maxRetry, connection.retryAfterMs ?? 0)
        if (await context.sleep(Math.max(askedMs, waitMs()))) throw connection.error
        return
      }
      const parser = createSseParser(options.maxEvent, lastId)
      try {
        for await (const batch of batches(connection.chunks, parser, options, context)) {
          fruitless = 0
          lastId = parser.place.lastId
          yield batch
        }
      } finally {
        connection.close()
      }
      serverRetryMs = parser.place.retryMs ?? serverRetryMs
      if (!(await context.sleep(waitMs()))) return
    }
  }
}

/** The events of a connection as they come, with the place that goes with them. */
async function* batches(
  chunks: AsyncIterable<Uint8Array>,
  parser: ReturnType<typeof createSseParser>,
  options: SseOptions,
  context: SourceContext,
): AsyncGenerator<SourceBatch, void> {
  const toEvent = createMapping(options)
  const { place } = parser
  let storedId = place.lastId
  let oversized = 0
  // The first frame of a Millrace stream says so: its gaps and heartbeats are no events.
  let isMillrace = false
  for await (const chunk of chunks) {
    const events: SourceEvent[] = []
    for (const message of parser.push(chunk)) {
      if (message.type === 'info' && message.data === 'connected') isMillrace = true
      if (isMillrace && isNotice(message)) {
        if (message.type === 'gap') await reportGap(message, context)
        continue
      }
      const event = toEvent(message)
      if (event !== undefined) events.push(event)
    }
    if (place.oversized > oversized) {
      context.log.warn(`source ${context.name}: events larger than maxEvent were left out`, {
        events: place.oversized - oversized,
      })
      oversized = place.oversized
    }
    // Only the last part of a large chunk moves the place: a crash before it reads the others again, as duplicates.
    while (events.length > batchSize) yield { events: events.splice(0, batchSize) }
    if (events.length === 0 && place.lastId === storedId) continue
    storedId = place.lastId
    yield { events, cursor: storedId }
  }
}

function isNotice({ type }: SseMessage): boolean {
  return type === 'info' || type === 'heartbeat' || type === 'gap'
}

/** What was missed cannot be had any more: it is said, and counted over restarts. */
async function reportGap(message: SseMessage, { name, log, state }: SourceContext): Promise<void> {
  const gaps = Number((await state.get('gaps')) ?? 0) + 1
  await state.set('gaps', String(gaps))
  let gap: { readonly reason?: unknown; readonly from?: unknown; readonly oldest?: unknown } = {}
  try {
    gap = JSON.parse(message.data) as typeof gap
  } catch {
    // It is a gap all the same.
  }
  const { reason, from, oldest } = gap ?? {}
  log.warn(`source ${name}: the stream has a gap: events before the oldest that is kept are not there`, {
    reason: String(reason).slice(0, 40),
    from: Number(from),
    oldest: Number(oldest),
    gaps,
  })
}
