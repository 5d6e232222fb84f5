import { coalesceKey } from '../core/coalesce.ts'
import type { Event, Sequence } from '../core/event.ts'
import { eventFrame } from '../core/event-stream.ts'
import { compilePatterns } from '../core/match.ts'
import { formatPosition } from '../core/position.ts'

/** Where one event lies in the bytes of a chunk. */
interface Frame {
  readonly sequence: Sequence
  readonly type: string
  readonly start: number
  readonly end: number
}

/** A stretch of the log as a view shows it, encoded once for all clients. */
export interface Chunk {
  /** It is for clients that stand here or further on, … */
  readonly after: Sequence
  /** … and who has been sent all of it stands here. */
  readonly upTo: Sequence
  /** The first event that is there; more than `after + 1` when those between were removed. */
  readonly first: Sequence
  readonly frames: readonly Frame[]
  readonly bytes: Uint8Array
}

/** What a view shows of an event, and how. */
export interface Lens {
  /** Whether clients see the event at all. */
  shows(event: Event): boolean
  /** The event as JSON text. */
  encode(event: Event): string
  /** Of what is encoded together only the newest of each type and subject is shown. */
  readonly isCoalesced?: boolean | undefined
}

/** Bytes of a chunk, about: what a client is handed at once, and a stalled one holds. */
export const chunkBytes = 64 * 1024
/** Of one read no more than this is encoded: the rest is read again by who needs it. */
const readBytes = 1024 * 1024

const encoder = new TextEncoder()

/** Encodes what was read after a position, in chunks of bounded size. */
export function encodeChunks(after: Sequence, events: readonly Event[], incarnation: string, lens: Lens): Chunk[] {
  const isShown = lens.isCoalesced === true ? newestOf(events, lens) : lens.shows
  const chunks: Chunk[] = []
  let texts: string[] = []
  let shown: Event[] = []
  let size = 0
  let total = 0
  let begin = after
  let first = after + 1
  let upTo = after
  const close = (): void => {
    chunks.push(chunkOf({ after: begin, upTo, first }, shown, texts))
    total += size
    texts = []
    shown = []
    size = 0
    begin = upTo
    first = upTo + 1
  }
  for (const event of events) {
    const { sequence } = event
    if (sequence !== upTo + 1) {
      // Something before it is gone: clients are told where it was.
      if (upTo !== begin) close()
      first = sequence
    }
    upTo = sequence
    if (isShown(event)) {
      const text = eventFrame(formatPosition(incarnation, sequence), event.type, lens.encode(event))
      texts.push(text)
      shown.push(event)
      size += text.length
    }
    if (size >= chunkBytes) {
      close()
      if (total >= readBytes) return chunks
    }
  }
  if (upTo !== begin) close()
  return chunks
}

/**
 * Leaves out what a later event of the same type and subject supersedes. Who stands in the middle, or leaves there,
 * misses no last state: the one that supersedes comes later in the order of the log, so it is still ahead.
 */
function newestOf(events: readonly Event[], lens: Lens): (event: Event) => boolean {
  const newest = new Map<string, Event>()
  const kept = new Set<Event>()
  for (const event of events) {
    if (!lens.shows(event)) continue
    kept.add(event)
    const key = coalesceKey(event.type, event.subject)
    if (key === undefined) continue
    const before = newest.get(key)
    if (before !== undefined) kept.delete(before)
    newest.set(key, event)
  }
  return (event) => kept.has(event)
}

/** What is left of the log after a position where nothing is kept any more. */
export function emptyChunk(after: Sequence, head: Sequence): Chunk {
  return { after, upTo: head, first: head + 1, frames: [], bytes: new Uint8Array(0) }
}

function chunkOf(
  span: Pick<Chunk, 'after' | 'upTo' | 'first'>,
  events: readonly Event[],
  texts: readonly string[],
): Chunk {
  const text = texts.join('')
  const bytes = encoder.encode(text)
  const isAscii = bytes.length === text.length
  let end = 0
  const frames = events.map(({ sequence, type }, index): Frame => {
    const start = end
    end += isAscii ? texts[index]!.length : encoder.encode(texts[index]).length
    return { sequence, type, start, end }
  })
  return { ...span, frames, bytes }
}

/** What a client wants of a chunk that stands at a position within it. */
export function restOf(chunk: Chunk, position: Sequence): { readonly bytes: Uint8Array; readonly count: number } {
  const { frames, bytes } = chunk
  const index = frames.findIndex(({ sequence }) => sequence > position)
  if (index === 0) return { bytes, count: frames.length }
  if (index < 0) return { bytes: bytes.subarray(0, 0), count: 0 }
  return { bytes: bytes.subarray(frames[index]!.start), count: frames.length - index }
}

/** Leaves only some types of each chunk, once for all clients that ask for the same ones. It can only narrow (S0-71). */
export function narrowTo(types: readonly string[]): (chunk: Chunk) => Chunk {
  const isWanted = compilePatterns(types)
  const done = new WeakMap<Chunk, Chunk>()
  return (chunk) => {
    let narrowed = done.get(chunk)
    if (narrowed === undefined) {
      narrowed = narrow(chunk, isWanted)
      done.set(chunk, narrowed)
    }
    return narrowed
  }
}

function narrow(chunk: Chunk, isWanted: (type: string) => boolean): Chunk {
  const kept = chunk.frames.filter(({ type }) => isWanted(type))
  if (kept.length === chunk.frames.length) return chunk
  const bytes = new Uint8Array(kept.reduce((sum, { start, end }) => sum + end - start, 0))
  let at = 0
  const frames = kept.map(({ sequence, type, start, end }): Frame => {
    const place = at
    bytes.set(chunk.bytes.subarray(start, end), place)
    at += end - start
    return { sequence, type, start: place, end: at }
  })
  return { ...chunk, frames, bytes }
}
