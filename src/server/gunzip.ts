import { pipeline, Readable } from 'node:stream'
import { promisify } from 'node:util'
import { createGunzip, gunzip } from 'node:zlib'
import { AppError } from '../core/errors.ts'
import { type HttpRequest, headerOf } from './http.ts'

/** A body may become so many times larger: text of events hardly gets beyond it, and a bomb gets no further (SEC-28). */
const maxRatio = 20

const gunzipWhole = promisify(gunzip)

/**
 * The request with its body decompressed while it is read, when it is gzip and that is allowed; else as it is. Limits
 * are on what comes out: what is beyond them is never made.
 */
export function decompressed(request: HttpRequest, isAllowed: boolean): HttpRequest {
  const encoding = headerOf(request, 'content-encoding')
  if (!isAllowed || encoding?.toLowerCase() !== 'gzip') return request
  const { 'content-encoding': _, ...headers } = request.headers
  return {
    method: request.method,
    path: request.path,
    query: request.query,
    headers,
    address: request.address,
    get gone() {
      return request.gone
    },
    async readBody(limitBytes, hold) {
      const bytes = await request.readBody(limitBytes, hold)
      const whole = await wholeOf(bytes, limitBytes)
      hold?.(whole.length)
      return whole
    },
    chunks: (idleMs, signal) => partsOf(request.chunks(idleMs, signal)),
  }
}

async function wholeOf(bytes: Uint8Array, limitBytes: number): Promise<Uint8Array> {
  const densest = maxRatio * bytes.length
  try {
    return await gunzipWhole(bytes, { maxOutputLength: Math.max(1, Math.min(limitBytes, densest)) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw unreadable(error)
    throw densest < limitBytes
      ? tooDense()
      : new AppError(
          'body-too-large',
          `the body is larger than ${limitBytes} bytes when decompressed: send less at once`,
        )
  }
}

async function* partsOf(compressed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let taken = 0
  let made = 0
  async function* counted(): AsyncGenerator<Uint8Array, void> {
    for await (const part of compressed) {
      taken += part.length
      yield part
    }
  }
  const parts = createGunzip()
  // How it ends is told by the parts.
  pipeline(Readable.from(counted(), { highWaterMark: 1 }), parts, () => undefined)
  try {
    for await (const part of parts as AsyncIterable<Buffer>) {
      made += part.length
      if (made > maxRatio * taken) throw tooDense()
      yield part
    }
  } catch (error) {
    throw unreadable(error)
  }
}

function tooDense(): AppError {
  return new AppError(
    'body-too-large',
    `the body is more than ${maxRatio} times larger when decompressed: send it as it is, or in smaller parts`,
  )
}

function unreadable(error: unknown): unknown {
  if (error instanceof AppError) return error
  return new AppError('body-malformed', 'the body says that it is gzip and cannot be decompressed', { cause: error })
}
