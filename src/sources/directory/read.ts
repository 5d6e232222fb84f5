import type { Log } from '../../core/platform.ts'
import type { IngestResult, SourceBatch, SourceContext } from '../../plugin/source.ts'
import {
  type ContentOptions,
  type Contents,
  changed,
  inspect,
  maxPieceBytes,
  maxPieceLines,
  type Piece,
} from './contents.ts'
import type { Folder } from './finish.ts'
import type { PutAway } from './put-away.ts'
import type { Candidate } from './scan.ts'

/** The bookmark: the place within a file that took more than one batch. */
interface Position {
  readonly file: string
  readonly hash: string
  readonly line: number
  readonly offset: number
  /** Events before it that were refused. */
  readonly refused: number
}

/** A file on its way: opened, read, its last batch stored, put away. */
interface Reading {
  readonly file: Candidate
  readonly hash: string
  refused: number
  readonly reasons: string[]
}

interface Part {
  readonly reading: Reading
  readonly from: Position
  readonly piece: Piece
}

export interface FileReader {
  /** Batches with the events of these files; a file is put away when the batch with its end is stored. */
  batches(files: readonly Candidate[]): AsyncGenerator<SourceBatch>
}

const maxReasons = 20

/**
 * Reads files into batches of at most 1,000 events or 1 MiB; small files share one. Nothing here is needed after a crash but
 * the cursor: a file still in the folder is read again, from the cursor when it names this content, and ids absorb the rest.
 */
export function createFileReader(
  folder: Folder,
  putAway: PutAway,
  options: ContentOptions,
  context: SourceContext,
  cursor: string | undefined,
): FileReader {
  let resume = parseCursor(cursor)

  const open = async (file: Candidate): Promise<Contents | undefined> => {
    if (putAway.has(file) || (await folder.isMarked(file))) return undefined
    const inspected = await inspect(file, options, context.signal)
    // Changed: it shows up again once it has come to rest.
    if (inspected.kind === 'changed') return undefined
    if (inspected.kind === 'malformed') {
      await putAway.fail(file, `${inspected.reason}; nothing of this file was stored. Correct it and drop it again`)
      return undefined
    }
    return (await folder.isMarked(file, inspected.hash)) ? undefined : inspected
  }

  async function* partsOf(files: readonly Candidate[]): AsyncGenerator<Part> {
    for (const file of files) {
      if (context.signal.aborted) return
      const contents = await open(file)
      if (contents === undefined) continue
      const isHere = resume?.file === file.name && resume.hash === contents.hash
      const from = isHere ? resume! : { file: file.name, hash: contents.hash, line: 0, offset: 0, refused: 0 }
      if (isHere) resume = undefined
      yield* partsOfFile(file, contents, from, context.log)
    }
  }

  return {
    async *batches(files) {
      let parts: Part[] = []
      let count = 0
      let bytes = 0
      for await (const part of partsOf(files)) {
        const { piece } = part
        const isOver = count + piece.events.length > maxPieceLines || bytes + piece.bytes > maxPieceBytes
        if (isOver && parts.length > 0) {
          yield batchOf(parts, putAway)
          parts = []
          count = 0
          bytes = 0
        }
        parts.push(part)
        count += piece.events.length
        bytes += piece.bytes
      }
      // Files without events (only empty lines) need no commit.
      if (parts.length > 0 && count === 0) await settle(parts, [], putAway)
      else if (parts.length > 0) yield batchOf(parts, putAway)
    },
  }
}

async function* partsOfFile(file: Candidate, contents: Contents, begin: Position, log: Log): AsyncGenerator<Part> {
  const reading: Reading = { file, hash: contents.hash, refused: begin.refused, reasons: [] }
  let from = begin
  try {
    for await (const piece of contents.pieces(from.line, from.offset)) {
      yield { reading, from, piece }
      from = { ...from, line: piece.line, offset: piece.offset }
    }
  } catch (error) {
    if (error !== changed) throw error
    log.warn('a file changed while it was read; it is read again when it has come to rest', { file: file.name })
  }
}

function batchOf(parts: readonly Part[], putAway: PutAway): SourceBatch {
  // Until the batch is settled its files are still in the folder and must not be read a second time.
  for (const { reading, piece } of parts) if (piece.isLast) putAway.expect(reading.file)
  return {
    events: parts.flatMap(({ piece }) => piece.events),
    cursor: cursorAfter(parts),
    settled: (results) => settle(parts, results, putAway),
  }
}

async function settle(parts: readonly Part[], results: readonly IngestResult[], putAway: PutAway): Promise<void> {
  let at = 0
  for (const { reading, piece } of parts) {
    for (const line of piece.lines) note(reading, line, results[at++])
    if (!piece.isLast) continue
    const { file, hash, refused, reasons } = reading
    if (refused === 0) await putAway.done(file, hash)
    else await putAway.fail(file, [`events not accepted: ${refused}; the others are stored`, ...reasons].join('\n'))
  }
}

function note(reading: Reading, line: number, result: IngestResult | undefined): void {
  if (result === undefined || (result.status !== 'refused' && result.status !== 'conflict')) return
  reading.refused++
  if (reading.reasons.length >= maxReasons) return
  const why = result.status === 'refused' ? result.error.message : 'another event with this source and id is stored'
  reading.reasons.push(`${line}: ${why}`)
}

/**
 * Where this batch began, within the file it ends in, or else in the file that it finished. One batch behind on purpose:
 * what is refused is known only after the commit, so after a crash the last batch is read again, giving duplicates.
 */
function cursorAfter(parts: readonly Part[]): string {
  const last = parts.at(-1)!
  const part = last.piece.isLast ? parts[0]! : parts.find(({ reading }) => reading === last.reading)!
  return part.from.line > 0 ? JSON.stringify({ ...part.from, refused: part.reading.refused }) : '{}'
}

function parseCursor(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined
  try {
    const { file, hash, line, offset, refused } = JSON.parse(cursor) as Partial<Position>
    if (typeof file !== 'string' || typeof hash !== 'string') return undefined
    if (![line, offset, refused].every((value) => Number.isSafeInteger(value) && value! >= 0)) return undefined
    return { file, hash, line: line!, offset: offset!, refused: refused! }
  } catch {
    return undefined
  }
}
