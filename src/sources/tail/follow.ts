import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { createLineReader, type Line, type LineReader } from '../../io/line-reader.ts'
import { isPrintOf, keyOf, noPrint, type Position, printBytes, printOf } from './position.ts'

const chunkBytes = 256 * 1024
const newline = 10

/** A file that is open. Its handle follows it through renames and removal. */
export interface Followed {
  position: Position
  /** Where it was found at the last look for files. */
  path: string
  /** False: nothing that is to be followed has this file any more; it is read to its end. */
  isMatched: boolean
  /** Monotonic time since when it has not grown. */
  quietSince: number
  /** The next lines, at most a chunk; `restarted` when the file began anew, and is read from its beginning. */
  read(): Promise<FollowRead>
  /** The last line when it has no newline, for a file that nobody writes to any more. */
  end(): Line[]
  close(): Promise<void>
}

export type FollowRead =
  | { readonly kind: 'lines'; readonly lines: readonly Line[]; readonly hasMore: boolean }
  | { readonly kind: 'quiet' }
  | { readonly kind: 'restarted' }

export interface OpenedFile {
  readonly handle: FileHandle
  readonly stats: BigIntStats
}

/**
 * Opens a regular file without following links and without waiting (SEC-68). Undefined when it is not there or no such
 * file; a text says why it is left alone.
 */
export async function openFile(path: string, followLinks: boolean): Promise<OpenedFile | string | undefined> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  let handle: FileHandle
  try {
    handle = await open(path, O_RDONLY | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW))
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    return ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(code) ? undefined : `it cannot be opened (${code})`
  }
  const stats = await handle.stat({ bigint: true })
  const problem = await problemOf(path, stats, followLinks)
  if (problem === undefined) return { handle, stats }
  await handle.close()
  return problem === '' ? undefined : problem
}

async function problemOf(path: string, stats: BigIntStats, followLinks: boolean): Promise<string | undefined> {
  if (!stats.isFile()) return 'it is not a regular file'
  if (stats.nlink > 1n) return 'it has another hard link'
  if (followLinks) return undefined
  // Gone again, or reached through a folder that became a link.
  return (await realpath(path).catch(() => '')) === path ? undefined : ''
}

/** The first bytes of a file, as many as a print may have. */
export async function firstBytes(handle: FileHandle, most = printBytes): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(most, printBytes)), 0, undefined, 0)
  return buffer.subarray(0, bytesRead)
}

/** A position at the beginning of a file. */
export function startOf(stats: BigIntStats, place: { path: string; name: string }, generation = 0): Position {
  const { dev, ino } = stats
  return {
    device: String(dev),
    inode: String(ino),
    generation,
    key: '',
    offset: 0,
    print: noPrint,
    seenMs: 0,
    ...place,
  }
}

/** A position at the end of a file: after its last whole line, so that a line that is being written comes whole. */
export async function endOf({ handle, stats }: OpenedFile, start: Position, maxLineBytes: number): Promise<Position> {
  const size = Number(stats.size)
  const length = Math.min(size, maxLineBytes)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length)
  const last = buffer.subarray(0, bytesRead).lastIndexOf(newline)
  const offset = last < 0 ? (length === size ? 0 : size) : size - length + last + 1
  const first = await firstBytes(handle)
  return {
    ...start,
    offset,
    key: offset === 0 ? '' : keyOf(stats, start.generation, first),
    print: printOf(first.subarray(0, offset)),
  }
}

/** Follows an open file from a position that is known to be its own. */
export function follow(
  { handle, stats }: OpenedFile,
  from: Position,
  maxLineBytes: number,
  now: () => number,
): Followed {
  let readAt = from.offset
  let changedAt = -1n
  let reader: LineReader
  const begin = (): void => {
    const { offset } = followed.position
    readAt = offset
    changedAt = -1n
    // A byte order mark is dropped from the first line only.
    reader = createLineReader({ maxLineBytes, startLine: offset === 0 ? 0 : 1, startOffset: offset })
  }
  const restart = (): FollowRead => {
    const { path, name } = followed.position
    followed.position = {
      ...startOf(stats, { path, name }, followed.position.generation + 1),
      seenMs: followed.position.seenMs,
    }
    begin()
    return { kind: 'restarted' }
  }

  const followed: Followed = {
    position: from,
    path: from.path,
    isMatched: true,
    quietSince: now(),
    async read() {
      const { size, mtimeNs } = await handle.stat({ bigint: true })
      if (size < readAt) return restart()
      if (Number(size) === readAt && mtimeNs === changedAt) return { kind: 'quiet' }
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, readAt)
      // Looked at after the read: what was read is of the file that these first bytes began.
      const first = await firstBytes(handle)
      if (!isPrintOf(followed.position.print, first)) return restart()
      changedAt = mtimeNs
      if (bytesRead === 0) return { kind: 'quiet' }
      const lines = reader.push(buffer.subarray(0, bytesRead))
      readAt += bytesRead
      followed.quietSince = now()
      if (followed.position.key === '' && lines.length > 0) {
        followed.position = { ...followed.position, key: keyOf(stats, followed.position.generation, first) }
      }
      const end = lines.at(-1)?.end ?? followed.position.offset
      if (followed.position.print.bytes < Math.min(printBytes, end)) {
        followed.position = { ...followed.position, print: printOf(first.subarray(0, end)) }
      }
      return { kind: 'lines', lines, hasMore: readAt < Number(size) }
    },
    end: () => reader.end(),
    close: () => handle.close(),
  }
  begin()
  return followed
}
