/** One JSON value of a stream of them, with the line it begins on; one that cannot be read has a problem instead. */
export type Element =
  | { readonly kind: 'text'; readonly line: number; readonly text: string }
  | { readonly kind: 'bad'; readonly line: number; readonly problem: string }

export interface ElementReader {
  /** Values that this chunk completes. */
  push(chunk: Uint8Array): Element[]
  /** Once, at the end: a value that is not complete. */
  end(): Element[]
}

const newline = 0x0a
const quote = 0x22
const comma = 0x2c
const backslash = 0x5c

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === newline || byte === 0x0d || byte === 0x09
}

/**
 * Cuts a stream into the elements of its one JSON array, or into the JSON values that stand in it one after another.
 * Only finds where values begin and end, without recursion; whether one is JSON, `JSON.parse` says. A value longer
 * than `maxBytes` ends the reading, because nothing tells where it was meant to end.
 */
export function createElementReader(maxBytes: number): ElementReader {
  let line = 1
  let isStarted = false
  let isArray = false
  let isOver = false
  let elementLine = 0
  let isInside = false
  let depth = 0
  let isInString = false
  let isEscaped = false
  let held: Uint8Array[] = []
  let heldBytes = 0

  const finish = (last: Uint8Array): Element => {
    const bytes = held.length === 0 ? last : Buffer.concat([...held, last])
    held = []
    heldBytes = 0
    isInside = false
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
      return { kind: 'text', line: elementLine, text }
    } catch {
      return { kind: 'bad', line: elementLine, problem: 'is not valid UTF-8' }
    }
  }
  const stop = (problem: string, at: number): Element => {
    isOver = true
    return { kind: 'bad', line: at, problem }
  }
  /** Whether the byte is the last of a container or string. */
  const closes = (byte: number): boolean => {
    if (isInString) {
      if (isEscaped) isEscaped = false
      else if (byte === backslash) isEscaped = true
      else if (byte === quote) isInString = false
      return !isInString && depth === 0
    }
    if (byte === quote) isInString = true
    else if (byte === 0x7b || byte === 0x5b) depth++
    else if (byte === 0x7d || byte === 0x5d) return --depth === 0
    return false
  }

  return {
    push(chunk) {
      const found: Element[] = []
      let start = 0
      for (let at = 0; at < chunk.length && !isOver; at++) {
        const byte = chunk[at]!
        if (byte === newline) line++
        if (!isInside) {
          if (isSpace(byte) || (isStarted && byte === comma)) continue
          if (!isStarted && !isArray && (byte === 0xef || byte === 0xbb || byte === 0xbf)) continue
          if (!isStarted && byte === 0x5b) {
            isStarted = true
            isArray = true
            continue
          }
          isStarted = true
          if (byte === 0x5d) {
            isOver = true
            continue
          }
          isInside = true
          elementLine = line
          depth = 0
          start = at
        }
        const isBare = depth === 0 && !isInString
        if (isBare && (start < at || held.length > 0) && (isSpace(byte) || byte === comma || byte === 0x5d)) {
          found.push(finish(chunk.subarray(start, at)))
          if (byte === 0x5d) isOver = true
        } else if (closes(byte)) found.push(finish(chunk.subarray(start, at + 1)))
      }
      if (isInside && !isOver) {
        held.push(chunk.subarray(start))
        heldBytes += chunk.length - start
        if (heldBytes > maxBytes)
          found.push(stop(`is longer than ${maxBytes} bytes: what follows was not read`, elementLine))
      }
      return found
    },
    end() {
      if (isOver) return []
      if (isInside) return [stop('is not complete: the input ends in the middle of it', elementLine)]
      return isArray ? [stop('is the end of the input, but the array is not closed', line)] : []
    },
  }
}
