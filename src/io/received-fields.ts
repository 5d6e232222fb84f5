import { createHash } from 'node:crypto'
import { timeProblem } from '../core/event-fields.ts'

/** The type of an event from what another system calls it: what cannot stand in a type becomes `_`. */
export function typeFrom(text: string | undefined, otherwise: string): string {
  const segments = (text ?? '').slice(0, 255).split('.')
  const clean = segments
    .map((segment) => segment.replaceAll(/[^A-Za-z0-9_-]/g, '_'))
    .filter((segment) => segment !== '')
  return clean.length === 0 ? otherwise : clean.join('.')
}

/** RFC 3339, or a number since 1970 in seconds or milliseconds; anything else is no time. */
export function timeFrom(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isFinite(number)) return timeProblem(text) === undefined ? text : undefined
  // In seconds this would be the year 5138.
  const ms = number > 1e11 ? number : number * 1_000
  return number > 0 && ms < 253_402_300_800_000 ? new Date(ms).toISOString() : undefined
}

/** An id for what has none: the same content is the same event. */
export function idFrom(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('base64url')
}
