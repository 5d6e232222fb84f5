import { AppError, type ErrorCode, errorCodes } from '../core/errors.ts'
import type { FileBuffer } from './buffer/file-buffer.ts'
import { countResult, noCounts } from './counters.ts'
import { encode } from './encode.ts'
import { Sender } from './sender.ts'
import { duration, type Settings, settingsOf } from './settings.ts'
import type { Client, ClientEvent, ClientOptions, ClientStats, PublishResult } from './types.ts'
import type { Item } from './waiting.ts'

/**
 * Makes a client that publishes to a Millrace server over HTTP. It opens nothing before the first event. Events published
 * at the same time go together; what was not answered is sent again with the same ids, which is harmless.
 *
 * @example
 * const client = createClient<{ 'order.placed': { total: number } }>({ url: 'http://127.0.0.1:7117', source: 'shop' })
 * await client.publish({ type: 'order.placed', id: 'order-42', data: { total: 120 } })
 */
export function createClient<Events = Record<string, unknown>>(options: ClientOptions): Client<Events> {
  const settings = settingsOf(options)
  const counters = noCounts()
  let opening: Promise<Sender> | undefined
  let sender: Sender | undefined
  let buffer: FileBuffer | undefined
  let closing: Promise<void> | undefined
  let unsent = 0

  const open = async (): Promise<Sender> => {
    buffer = settings.buffer && (await openBuffer(settings.buffer))
    counters.recovered = buffer?.events ?? 0
    sender = new Sender(settings, counters, buffer)
    sender.start()
    return sender
  }
  // Those being written are still counted as waiting.
  const inBuffer = () => ({ events: (buffer?.events ?? 0) - (buffer?.writing ?? 0), bytes: buffer?.bytes ?? 0 })
  const opened = (): Promise<Sender> => {
    opening ??= open().catch((error: unknown) => {
      // Another process may have the buffer now and not later.
      opening = undefined
      throw error
    })
    return opening
  }

  const send = async (events: readonly unknown[]): Promise<readonly PublishResult[]> => {
    if (closing !== undefined) throw new AppError('stopping', 'publishing failed: the client is closed')
    const encoded = events.map((event) => encode(event, settings.source))
    counters.published += events.length
    unsent += events.length
    let ready: Sender
    try {
      ready = await opened()
    } catch (error) {
      counters.failed += events.length
      throw error
    } finally {
      unsent -= events.length
    }
    const giveUpAt = performance.now() + settings.giveUpMs
    const items: Item[] = []
    let failure: AppError | undefined
    const ends = encoded.map((one) => {
      if ('status' in one) {
        countResult(counters, one)
        return one
      }
      return new Promise<PublishResult>((resolve) => {
        const end: Item['end'] = (result, error) => {
          failure ??= error
          resolve(result)
        }
        items.push({ ...one, giveUpAt, wasSent: false, mayBeStored: false, end })
      })
    })
    if (items.length > 0) ready.add(items)
    const results = await Promise.all(ends)
    // The results say which ids are stored and which to publish again, with the same ids.
    if (failure !== undefined) throw new AppError(failure.code, failure.message, { cause: failure, facts: { results } })
    return results
  }

  const close = async (deadlineMs: number): Promise<void> => {
    if (opening === undefined) return
    const ready = await opening.catch(() => undefined)
    if (ready === undefined) return
    await cameTrue(ready, deadlineMs, () => unsent + ready.waiting === 0)
    await ready.close()
    await buffer?.close()
  }

  return {
    publish: (async (input: ClientEvent<Events> | readonly ClientEvent<Events>[]) => {
      const results = await send(Array.isArray(input) ? input : [input])
      return Array.isArray(input) ? results : unrefused(results[0]!)
    }) as Client<Events>['publish'],
    async flush({ deadline = '30s' } = {}) {
      const deadlineMs = duration('deadline', deadline)
      if (settings.buffer === undefined && opening === undefined) return true
      const ready = await opened()
      return cameTrue(ready, deadlineMs, () => unsent === 0 && ready.isQuiet)
    },
    stats: (): ClientStats => {
      const { stored, duplicates, conflicts, quarantined } = counters
      const waiting = unsent + (sender?.waiting ?? 0)
      return { ...counters, sent: stored + duplicates + conflicts + quarantined, waiting, inBuffer: inBuffer() }
    },
    close({ deadline = '5s' } = {}) {
      closing ??= close(duration('deadline', deadline))
      return closing
    },
    [Symbol.asyncDispose]() {
      return this.close()
    },
  }
}

/** The one result of one event: what the server or the check here refused is thrown, as the library does. */
function unrefused(result: PublishResult): PublishResult {
  if (result.status !== 'refused') return result
  const { code = 'event-invalid', message = 'the event was refused' } = result.error ?? {}
  const known = Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'event-invalid'
  throw new AppError(known, `publishing an event failed: ${message}`, { facts: { results: [result] } })
}

/** True as soon as the condition holds, false when it does not within the time. */
function cameTrue(sender: Sender, withinMs: number, isTrue: () => boolean): Promise<boolean> {
  if (isTrue()) return Promise.resolve(true)
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      forget()
      resolve(isTrue())
    }
    const timer = setTimeout(end, withinMs)
    const forget = sender.onMoved(() => {
      if (isTrue()) end()
    })
  })
}

/** Loaded where a buffer is asked for: it needs files, which a browser does not have. */
async function openBuffer({ path, maxBytes }: NonNullable<Settings['buffer']>): Promise<FileBuffer> {
  const { FileBuffer } = await import('./buffer/file-buffer.ts')
  return FileBuffer.open(path, maxBytes)
}
