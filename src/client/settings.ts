import { parseDuration } from '../core/duration.ts'
import { AppError } from '../core/errors.ts'
import { type ClientOptions, type Fetch, type UnavailableMode, unavailableModes } from './types.ts'

/** The options with every default filled in. */
export interface Settings {
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly source: string | undefined
  readonly onUnavailable: UnavailableMode
  readonly buffer: { readonly path: string; readonly maxBytes: number; readonly whenFull: 'throw' | 'drop' } | undefined
  readonly batchSize: number
  readonly batchWaitMs: number
  readonly timeoutMs: number
  readonly firstDelayMs: number
  readonly mostDelayMs: number
  readonly giveUpMs: number
  readonly maxWaiting: number
  readonly fetch: Fetch
  readonly onReplayed: ClientOptions['onReplayed']
}

const mebibyte = 2 ** 20
/** Less would be full after a few events. */
const leastBufferBytes = 4096

/** Checks the options; throws `config-invalid` for the first that is wrong. */
export function settingsOf(options: ClientOptions): Settings {
  const { onUnavailable = 'throw', buffer, batch = {}, retry = {}, token } = options
  if (!unavailableModes.includes(onUnavailable)) throw wrong(`onUnavailable is one of ${unavailableModes.join(', ')}`)
  if (onUnavailable === 'buffer' && buffer === undefined) {
    throw wrong("onUnavailable: 'buffer' needs a file: give buffer: { path }")
  }
  if (onUnavailable !== 'buffer' && buffer !== undefined) {
    throw wrong("buffer is given, but onUnavailable is not 'buffer', so nothing would be written to it")
  }
  const { path = '', maxBytes = 64 * mebibyte, whenFull = 'throw' } = buffer ?? {}
  if (buffer !== undefined && path === '') throw wrong('buffer.path is empty')
  if (whenFull !== 'throw' && whenFull !== 'drop') throw wrong('buffer.whenFull is throw or drop')
  return {
    endpoint: endpointOf(options.url),
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    source: options.source,
    onUnavailable,
    buffer: buffer && { path, maxBytes: count('buffer.maxBytes', maxBytes, leastBufferBytes), whenFull },
    batchSize: count('batch.size', batch.size ?? 500, 1),
    batchWaitMs: duration('batch.wait', batch.wait ?? '0ms'),
    timeoutMs: duration('timeout', options.timeout ?? '10s'),
    firstDelayMs: duration('retry.first', retry.first ?? '200ms'),
    mostDelayMs: duration('retry.most', retry.most ?? '10s'),
    giveUpMs: duration('retry.giveUpAfter', retry.giveUpAfter ?? '30s'),
    maxWaiting: count('maxWaiting', options.maxWaiting ?? 10_000, 1),
    // Looked up at each call: an application may replace the global one.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    onReplayed: options.onReplayed,
  }
}

/** A duration such as `5s` in milliseconds. */
export function duration(name: string, text: string): number {
  const parsed = parseDuration(text)
  if (!parsed.ok) throw wrong(`${name}: ${parsed.problem}`)
  return parsed.ms
}

function count(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) throw wrong(`${name} is a whole number, at least ${least}`)
  return value
}

function endpointOf(text: string): string {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw wrong('url is not an address such as https://events.example')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong('url begins with http:// or https://')
  if (url.username !== '' || url.password !== '') throw wrong('url holds a password: give a token instead')
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}/v1/events`
}

function wrong(problem: string): AppError {
  return new AppError('config-invalid', `the client was not made: ${problem}`)
}
