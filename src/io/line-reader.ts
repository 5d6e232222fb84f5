import { createLineCutter } from '../core/line-cutter.ts'

/** One line of a byte stream, without its `\n` or `\r\n`. A line that cannot be read has a problem instead of text. */
export type Line =
  | { readonly kind: 'text'; readonly number: number; readonly end: number; readonly text: string }
  | { readonly kind: 'bad'; readonly number: number; readonly end: number; readonly problem: LineProblem }
export type LineProblem = 'not-utf8' | 'too-long'

export interface LineReaderOptions {
  /** Longer lines are `too-long`; they are skipped without being held in memory. */
  readonly maxLineBytes: number
  /** Where reading begins, when it goes on in the middle: counted from there. */
  readonly startLine?: number | undefined
  readonly startOffset?: number | undefined
}

export interface LineReader {
  /** Lines that this chunk completes. `end` of a line is the byte offset just after its newline. The chunk may be kept. */
  push(chunk: Uint8Array): Line[]
  /** Once, at the end of the stream: the last line when it has no newline. */
  end(): Line[]
}

const carriageReturn = 13

/** Cuts chunks of bytes into numbered lines, strictly UTF-8. A byte order mark at the very start is dropped. */
export function createLineReader(options: LineReaderOptions): LineReader {
  const { maxLineBytes } = options
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let number = options.startLine ?? 0
  let offset = options.startOffset ?? 0
  // One byte more than the limit is let through, for the carriage return.
  const cutter = createLineCutter(maxLineBytes + 1)

  const finish = (bytes: Uint8Array | undefined, end: number): Line => {
    number++
    const stripped = bytes?.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes
    if (stripped === undefined || stripped.length > maxLineBytes)
      return { kind: 'bad', number, end, problem: 'too-long' }
    try {
      const text = decoder.decode(stripped)
      return { kind: 'text', number, end, text: number === 1 && text.startsWith('\ufeff') ? text.slice(1) : text }
    } catch {
      return { kind: 'bad', number, end, problem: 'not-utf8' }
    }
  }

  return {
    push(chunk) {
      const lines: Line[] = []
      cutter.push(chunk, (bytes, end) => lines.push(finish(bytes, offset + end)))
      offset += chunk.length
      return lines
    },
    end() {
      const lines: Line[] = []
      cutter.end((bytes) => lines.push(finish(bytes, offset)))
      return lines
    },
  }
}

/** As `createLineReader`, over a stream: one array of lines per chunk, empty ones left out. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  options: LineReaderOptions,
): AsyncGenerator<Line[]> {
  const reader = createLineReader(options)
  for await (const chunk of chunks) {
    const lines = reader.push(chunk)
    if (lines.length > 0) yield lines
  }
  const last = reader.end()
  if (last.length > 0) yield last
}
