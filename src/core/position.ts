import type { Sequence } from './event.ts'

/** A place in a store's log, as clients hold it; without an incarnation it is a bare sequence. */
export interface Position {
  /** Which life of the store the sequence belongs to: a restored or replaced store has another. */
  readonly incarnation?: string | undefined
  readonly sequence: Sequence
}

/** `<incarnation>-<sequence>`: the id of an SSE event and a cursor between requests. */
export function formatPosition(incarnation: string, sequence: Sequence): string {
  return `${incarnation}-${sequence}`
}

// Sixteen digits hold every safe integer, and the bounds keep hostile tokens cheap.
const positionText = /^(?:([A-Za-z0-9_-]{1,64})-)?(\d{1,16})$/

/** Reads `<incarnation>-<sequence>` or a bare sequence; undefined when it is neither. */
export function parsePosition(text: string): Position | undefined {
  const found = positionText.exec(text)
  if (found === null) return undefined
  const sequence = Number(found[2])
  if (!Number.isSafeInteger(sequence)) return undefined
  return { incarnation: found[1], sequence }
}
