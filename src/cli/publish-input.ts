import { createLineReader, type Line } from '../io/line-reader.ts'
import { createElementReader, type Element } from './json-elements.ts'

/** Above every limit that a server is likely to have: what is longer is refused here and not sent. */
const maxEventBytes = 16 * 2 ** 20

/** What a piece of input held. */
export interface Piece {
  readonly elements: readonly Element[]
  /** Bytes read since the piece before. */
  readonly bytes: number
}

/**
 * Events out of a file or stdin: NDJSON, one JSON object, or a JSON array, told apart by how it begins. Memory is bounded
 * by one chunk and one event.
 */
export async function* readInput(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Piece> {
  const iterator = chunks[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  let headBytes = 0
  let isDone = false
  // The first line decides, so it has to be there.
  while (!isDone && headBytes < maxEventBytes) {
    const next = await iterator.next()
    isDone = next.done === true
    if (next.done === true) break
    const chunk: Uint8Array = Buffer.from(next.value)
    head.push(chunk)
    headBytes += chunk.length
    if (hasFirstLine(head)) break
  }
  const first = Buffer.concat(head)
  const cut = isLines(first, name) ? lineCutter() : createElementReader(maxEventBytes)
  yield { elements: cut.push(first), bytes: first.length }
  while (!isDone) {
    const next = await iterator.next()
    if (next.done === true) break
    yield { elements: cut.push(Buffer.from(next.value)), bytes: next.value.length }
  }
  yield { elements: cut.end(), bytes: 0 }
}

function hasFirstLine(parts: readonly Uint8Array[]): boolean {
  return firstLine(Buffer.concat(parts)) !== undefined
}

/** The first line that is not blank, when its end is there. */
function firstLine(bytes: Buffer): string | undefined {
  for (let start = 0, end = bytes.indexOf(10); end !== -1; start = end + 1, end = bytes.indexOf(10, start)) {
    const text = bytes
      .toString('utf8', start, end)
      .replace(/^\ufeff/, '')
      .trim()
    if (text !== '') return text
  }
  return undefined
}

/** One event a line, unless it begins as an array or as an object that goes on over lines. */
function isLines(bytes: Buffer, name: string): boolean {
  if (/\.(?:ndjson|jsonl|jsonlines)$/i.test(name)) return true
  const text = firstLine(bytes)
  if (text === undefined || text.startsWith('[')) return false
  return !text.startsWith('{') || isJson(text) || text.endsWith('}')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function lineCutter(): { push(chunk: Uint8Array): Element[]; end(): Element[] } {
  const reader = createLineReader({ maxLineBytes: maxEventBytes })
  return {
    push: (chunk) => reader.push(chunk).flatMap(elementOf),
    end: () => reader.end().flatMap(elementOf),
  }
}

function elementOf(line: Line): Element[] {
  if (line.kind === 'bad') {
    const problem = line.problem === 'not-utf8' ? 'is not valid UTF-8' : `is longer than ${maxEventBytes} bytes`
    return [{ kind: 'bad', line: line.number, problem }]
  }
  return line.text.trim() === '' ? [] : [{ kind: 'text', line: line.number, text: line.text }]
}
