import { AppError } from '../../core/errors.ts'
import { timeProblem } from '../../core/event-fields.ts'
import type { Store, StreamEvent } from '../../plugin/store.ts'
import { type Upcasting, upcastFailure } from '../upcasting.ts'
import type { ReadStreamOptions, Until } from './face.ts'

/** Events asked of the store at a time. */
const pageSize = 500

/** The version that a stream is at, or was at then. */
export async function versionUntil(store: Store, stream: string, until?: Until): Promise<number> {
  if (until !== undefined && 'time' in until) {
    const problem = timeProblem(until.time)
    if (problem !== undefined) throw badRequest(stream, `until.time ${problem}`)
    const first = await store.sequenceAt(globalThis.Date.parse(until.time))
    const version = await store.versionAt(stream, first - 1)
    // All that is known of the removed events is that they came before the oldest kept one.
    if (version === undefined || (version > 0 && first === store.oldest()))
      throw new AppError(
        'events-removed',
        `reading the stream ${stream} as it was at ${until.time} failed: retention removed its events of that time`,
        { facts: { stream } },
      )
    return version
  }
  const { version } = await store.readStream(stream, Number.MAX_SAFE_INTEGER, 1)
  return until === undefined ? version : Math.min(version, wholeNumber(stream, 'until.version', until.version))
}

/** The events of a stream after a version, up to a limit or a point in its life. */
export async function* readStream(
  store: Store,
  see: Upcasting | undefined,
  stream: string,
  { after = 0, limit = Number.MAX_SAFE_INTEGER, until }: ReadStreamOptions,
): AsyncGenerator<StreamEvent, void> {
  let version = wholeNumber(stream, 'after', after)
  const end = version + wholeNumber(stream, 'limit', limit)
  const last = until === undefined ? end : Math.min(end, await versionUntil(store, stream, until))
  while (version < last) {
    const page = await store.readStream(stream, version, Math.min(last - version, pageSize))
    const first = page.events[0]?.version ?? page.version + 1
    if (first > version + 1) throw removed(stream, version + 1, first)
    if (page.events.length === 0) return
    for (const { version: at, event } of page.events) {
      const seen = see?.(event) ?? event
      const failure = upcastFailure(seen)
      if (failure !== undefined)
        throw new AppError('plugin-failed', `reading the stream ${stream} failed at version ${at}: ${failure}`)
      yield { version: at, event: seen }
      version = at
    }
  }
}

function removed(stream: string, wanted: number, oldest: number): AppError {
  return new AppError(
    'events-removed',
    `reading the stream ${stream} failed: retention removed its events from version ${wanted} to ${oldest - 1}; read what is kept with after: ${oldest - 1}`,
    { facts: { stream, oldest } },
  )
}

function wholeNumber(stream: string, what: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw badRequest(stream, `${what} is a whole number from 0`)
}

function badRequest(stream: string, problem: string): AppError {
  return new AppError('bad-request', `reading the stream ${stream} failed: ${problem}`)
}
