import { messageOf } from '../../core/errors.ts'
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
  /** Tries again to put away what could not be. */
  putAway(): Promise<void>
}

const maxReasons = 20

/**
 * Reads files into batches of at most 1,000 events or 1 MiB; small files share one. Nothing here is needed after a crash but
 * the cursor: a file still in the folder is read again, from the cursor when it names this content, and ids absorb the rest.
 */
export function createFileReader(
  folder: Folder,
  options: ContentOptions,
  context: SourceContext,
  cursor: string | undefined,
): FileReader {
  const { log } = context
  let resume = parseCursor(cursor)
  // Stored or refused as seen, so not read again; the work is what still has to be done with the file.
  const handled = new Map<
    string,
    { readonly fingerprint: string; work: (() => Promise<void>) | undefined; isReported: boolean }
  >()

  const putAway = async (file: Candidate, work: () => Promise<void>): Promise<void> => {
    const entry = { fingerprint: file.fingerprint, work: work as (() => Promise<void>) | undefined, isReported: false }
    handled.set(file.name, entry)
    await attempt(file.name, entry)
  }
  const attempt = async (
    name: string,
    entry: { work: (() => Promise<void>) | undefined; isReported: boolean },
  ): Promise<void> => {
    try {
      await entry.work?.()
      entry.work = undefined
      handled.delete(name)
    } catch (error) {
      if (!entry.isReported)
        log.error('a file was stored but cannot be put away; it is tried again', {
          file: name,
          error: messageOf(error),
        })
      entry.isReported = true
    }
  }
  const fail = async (file: Candidate, reason: string): Promise<void> => {
    log.error('a file was put into .failed', { file: file.name, reason })
    await putAway(file, () => folder.fail(file, reason))
  }
  const settle = async (parts: readonly Part[], results: readonly IngestResult[]): Promise<void> => {
    let at = 0
    for (const { reading, piece } of parts) {
      for (const line of piece.lines) note(reading, line, results[at++])
      if (!piece.isLast) continue
      const { file, hash, refused, reasons } = reading
      if (refused > 0)
        await fail(file, [`${refused} events were not accepted; the others are stored`, ...reasons].join('\n'))
      else await putAway(file, () => folder.done(file, hash))
    }
  }
  const batchOf = (parts: readonly Part[]): SourceBatch => {
    // Until the batch is settled its files are still in the folder and must not be read a second time.
    for (const { reading, piece } of parts) {
      const { name, fingerprint } = reading.file
      if (piece.isLast) handled.set(name, { fingerprint, work: undefined, isReported: false })
    }
    return {
      events: parts.flatMap(({ piece }) => piece.events),
      cursor: cursorAfter(parts),
      settled: (results) => settle(parts, results),
    }
  }

  const open = async (file: Candidate): Promise<Contents | undefined> => {
    if (handled.get(file.name)?.fingerprint === file.fingerprint || (await folder.isMarked(file))) return undefined
    const inspected = await inspect(file, options, context.signal)
    // Changed: it shows up again once it has come to rest.
    if (inspected.kind === 'changed') return undefined
    if (inspected.kind === 'malformed') {
      await fail(file, `${inspected.reason}; nothing of this file was stored. Correct it and drop it again`)
      return undefined
    }
    return (await folder.isMarked(file, inspected.hash)) ? undefined : inspected
  }

  async function* partsOf(file: Candidate, contents: Contents): AsyncGenerator<Part> {
    const isHere = resume?.file === file.name && resume.hash === contents.hash
    let from: Position = isHere ? resume! : { file: file.name, hash: contents.hash, line: 0, offset: 0, refused: 0 }
    resume = isHere ? undefined : resume
    const reading: Reading = { file, hash: contents.hash, refused: from.refused, reasons: [] }
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

  return {
    async *batches(files) {
      let parts: Part[] = []
      let count = 0
      let bytes = 0
      const flush = (): SourceBatch => {
        const batch = batchOf(parts)
        parts = []
        count = 0
        bytes = 0
        return batch
      }
      for (const file of files) {
        if (context.signal.aborted) break
        const contents = await open(file)
        if (contents === undefined) continue
        for await (const part of partsOf(file, contents)) {
          const { events } = part.piece
          const isOver = count + events.length > maxPieceLines || bytes + part.piece.bytes > maxPieceBytes
          if (isOver && parts.length > 0) yield flush()
          parts.push(part)
          count += events.length
          bytes += part.piece.bytes
        }
      }
      // Files without events (only empty lines) need no commit.
      if (parts.length > 0 && count === 0) await settle(parts, [])
      else if (parts.length > 0) yield flush()
    },
    async putAway() {
      for (const [name, entry] of handled) if (entry.work !== undefined) await attempt(name, entry)
    },
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
