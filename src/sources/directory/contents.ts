import { createHash, hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { eventOf, type SourceEvent } from '../../io/event-of.ts'
import { createLineReader, type Line } from '../../io/line-reader.ts'
import type { Candidate } from './scan.ts'

/** Some events of a file, in order. */
export interface Piece {
  readonly events: readonly SourceEvent[]
  /** The line (or element) that each event came from. */
  readonly lines: readonly number[]
  readonly bytes: number
  /** Where reading goes on after it. */
  readonly line: number
  readonly offset: number
  readonly isLast: boolean
}

/** A file that was read once from beginning to end and found good. */
export interface Contents {
  readonly kind: 'good'
  readonly hash: string
  /** Its events from a place on; throws `changed` when the file is no longer the one that was checked. */
  pieces(fromLine: number, fromOffset: number): AsyncGenerator<Piece>
}
export type Inspected =
  | Contents
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'changed' }

/** Thrown while reading on in a file that somebody has changed meanwhile. */
export const changed = Symbol('changed')

export const maxPieceLines = 1000
export const maxPieceBytes = 1024 * 1024
const maxTextBytes = 64 * 1024
const chunkBytes = 256 * 1024

export interface ContentOptions {
  /** Type of the events that do not name one. */
  readonly type: string
  readonly maxLineBytes: number
}

/**
 * Reads the whole file once: its hash, and whether every line is good, so that a malformed file stores nothing at all.
 * Opened without following links and without waiting, and compared with what was seen before (SEC-68).
 */
export async function inspect(candidate: Candidate, options: ContentOptions, signal: AbortSignal): Promise<Inspected> {
  const handle = await openSame(candidate)
  if (handle === undefined) return { kind: 'changed' }
  try {
    const reading = { candidate, options, kind: kindOf(candidate.name) }
    const digest = createHash('sha256')
    const reader = createLineReader({ maxLineBytes: options.maxLineBytes })
    // Only what may become one event's data is kept; lines are read again in pieces.
    const limit = reading.kind === 'json' ? options.maxLineBytes : reading.kind === 'lines' ? 0 : maxTextBytes
    if (reading.kind === 'json' && candidate.size > limit) return malformed(`it is larger than ${limit} bytes`)
    const kept: Buffer[] = []
    for await (const chunk of chunksOf(handle, 0)) {
      // A stop does not wait for a huge file: it is looked at again after the start.
      if (signal.aborted) return { kind: 'changed' }
      digest.update(chunk)
      if (candidate.size <= limit) kept.push(chunk)
      if (reading.kind !== 'lines') continue
      const problem = firstProblem(reader.push(chunk))
      if (problem !== undefined) return malformed(problem)
    }
    const problem = reading.kind === 'lines' ? firstProblem(reader.end()) : undefined
    if (problem !== undefined) return malformed(problem)
    if (!(await isSame(handle, candidate))) return { kind: 'changed' }
    const digested = digest.digest('hex')
    if (reading.kind === 'lines')
      return {
        kind: 'good',
        hash: digested,
        pieces: (line, offset) => linePieces(candidate, options, digested, line, offset),
      }
    return whole(candidate, options, digested, reading.kind, Buffer.concat(kept))
  } finally {
    await handle.close()
  }
}

type Kind = 'lines' | 'json' | 'other'

function kindOf(name: string): Kind {
  if (/\.(ndjson|jsonl)$/i.test(name)) return 'lines'
  return /\.json$/i.test(name) ? 'json' : 'other'
}

function malformed(reason: string): Inspected {
  return { kind: 'malformed', reason }
}

function firstProblem(lines: readonly Line[]): string | undefined {
  for (const line of lines) {
    if (line.kind === 'bad') return `line ${line.number} is ${line.problem === 'too-long' ? 'too long' : 'not UTF-8'}`
    if (line.text.trim() === '') continue
    try {
      JSON.parse(line.text)
    } catch {
      return `line ${line.number} is not JSON`
    }
  }
  return undefined
}

/** The id of an event that brings none: the same for the same name, content and line, and for nothing else. */
function idOf(name: string, contentHash: string, line: number): string {
  return `${hash('sha256', JSON.stringify([name, contentHash]), 'base64url').slice(0, 22)}-${line}`
}

function eventFor(candidate: Candidate, type: string, contentHash: string, line: number, value: unknown): SourceEvent {
  const { name } = candidate
  return eventOf(value) ?? { id: idOf(name, contentHash, line), type, subject: name, data: value }
}

function whole(
  candidate: Candidate,
  { type }: ContentOptions,
  contentHash: string,
  kind: Kind,
  bytes: Buffer,
): Inspected {
  let values: readonly unknown[]
  if (kind === 'json') {
    try {
      const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
      const isBatch =
        Array.isArray(value) && value.length > 0 && value.every((element) => eventOf(element) !== undefined)
      values = isBatch ? value : [value]
    } catch {
      return malformed('it is not JSON in UTF-8')
    }
  } else {
    const { name, path, size } = candidate
    const text = textOf(bytes, size)
    values = [{ name, path, size, sha256: contentHash, ...(text !== undefined && { text }) }]
  }
  const events = values.map((value, index) => eventFor(candidate, type, contentHash, index + 1, value))
  return {
    kind: 'good',
    hash: contentHash,
    async *pieces(fromLine) {
      for (let at = Math.min(fromLine, events.length - 1); at < events.length; at += maxPieceLines) {
        const some = events.slice(at, at + maxPieceLines)
        const line = at + some.length
        const lines = some.map((_, index) => at + index + 1)
        yield { events: some, lines, bytes: bytes.length, line, offset: 0, isLast: line === events.length }
      }
    },
  }
}

function textOf(bytes: Buffer, size: number): string | undefined {
  if (bytes.length !== size || bytes.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

async function* linePieces(
  candidate: Candidate,
  { type, maxLineBytes }: ContentOptions,
  contentHash: string,
  fromLine: number,
  fromOffset: number,
): AsyncGenerator<Piece> {
  const handle = await openSame(candidate)
  if (handle === undefined) throw changed
  try {
    const reader = createLineReader({ maxLineBytes, startLine: fromLine, startOffset: fromOffset })
    let events: SourceEvent[] = []
    let lines: number[] = []
    let last = { number: fromLine, end: fromOffset }
    let begin = fromOffset
    const piece = (isLast: boolean): Piece => {
      const made = { events, lines, bytes: last.end - begin, line: last.number, offset: last.end, isLast }
      events = []
      lines = []
      begin = last.end
      return made
    }
    const take = async function* (some: readonly Line[]): AsyncGenerator<Piece> {
      for (const line of some) {
        const isFull = events.length >= maxPieceLines || line.end - begin > maxPieceBytes
        if (isFull && events.length > 0) {
          // What is handed out must be of the content that was hashed: its ids say so.
          if (!(await isSame(handle, candidate))) throw changed
          yield piece(false)
        }
        last = line
        if (line.kind === 'bad') throw changed
        if (line.text.trim() === '') continue
        events.push(eventFor(candidate, type, contentHash, line.number, JSON.parse(line.text)))
        lines.push(line.number)
      }
    }
    for await (const chunk of chunksOf(handle, fromOffset)) yield* take(reader.push(chunk))
    yield* take(reader.end())
    if (!(await isSame(handle, candidate))) throw changed
    yield piece(true)
  } finally {
    await handle.close()
  }
}

async function* chunksOf(handle: FileHandle, from: number): AsyncGenerator<Buffer> {
  for (let at = from; ; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}

async function openSame(candidate: Candidate): Promise<FileHandle | undefined> {
  // Windows has neither flag.
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  let handle: FileHandle
  try {
    handle = await open(candidate.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ELOOP') return undefined
    throw error
  }
  if (await isSame(handle, candidate)) return handle
  await handle.close()
  return undefined
}

async function isSame(handle: FileHandle, { fingerprint }: Candidate): Promise<boolean> {
  const info = await handle.stat()
  return info.isFile() && `${info.dev}:${info.ino}:${info.size}:${info.mtimeMs}` === fingerprint
}
