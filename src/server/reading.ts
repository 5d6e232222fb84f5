import type { ReadLimits } from '../core/cloud-event.ts'
import { AppError } from '../core/errors.ts'
import type { ServerLimits } from './context.ts'

/** What the core may let through of one event, by the limits of the server. */
export function readLimits({ bodyBytes, depth, batch }: ServerLimits): ReadLimits {
  return { dataBytes: bodyBytes, depth, batch, nowMs: Date.now() }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Strict UTF-8; throws `body-malformed`. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new AppError('body-malformed', 'the body is not valid UTF-8')
  }
}
