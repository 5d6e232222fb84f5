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
  return new Cutter(maxBytes)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const openBrackets: ReadonlySet<number> = new Set([0x5b, 0x7b])
const closeBracket = 0x5d
const closeBrackets: ReadonlySet<number> = new Set([closeBracket, 0x7d])
const byteOrderMark: ReadonlySet<number> = new Set([0xef, 0xbb, 0xbf])

class Cutter implements ElementReader {
  readonly #maxBytes: number
  #line = 1
  /** `start` until the first value or bracket, `over` after the array or a problem that nothing can follow. */
  #phase: 'start' | 'array' | 'values' | 'over' = 'start'
  /** The line on which the value under way begins; undefined between values. */
  #begun: number | undefined
  #depth = 0
  #isInString = false
  #isEscaped = false
  #held: Uint8Array[] = []
  #heldBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(chunk: Uint8Array): Element[] {
    const found: Element[] = []
    let start = 0
    for (let at = 0; at < chunk.length && this.#phase !== 'over'; at++) {
      const byte = chunk[at]!
      if (byte === newline) this.#line++
      if (this.#begun === undefined) {
        if (!this.#begins(byte)) continue
        start = at
      } else if (this.#endsBefore(byte)) {
        found.push(this.#finish(chunk.subarray(start, at)))
        if (byte === closeBracket) this.#phase = 'over'
        continue
      }
      if (this.#endsWith(byte)) found.push(this.#finish(chunk.subarray(start, at + 1)))
    }
    if (this.#begun === undefined || this.#phase === 'over') return found
    this.#held.push(chunk.subarray(start))
    this.#heldBytes += chunk.length - start
    if (this.#heldBytes > this.#maxBytes) {
      found.push(this.#stop(`is longer than ${this.#maxBytes} bytes: what follows was not read`, this.#begun))
    }
    return found
  }

  end(): Element[] {
    if (this.#begun !== undefined && this.#phase === 'values' && this.#depth === 0 && !this.#isInString) {
      return [this.#finish(new Uint8Array(0))]
    }
    if (this.#phase === 'over') return []
    if (this.#begun !== undefined)
      return [this.#stop('is not complete: the input ends in the middle of it', this.#begun)]
    if (this.#phase !== 'array') return []
    return [this.#stop('is the end of the input, but the array is not closed', this.#line)]
  }

  /** Whether a value begins with this byte between values. */
  #begins(byte: number): boolean {
    if (isSpace(byte)) return false
    if (this.#phase === 'start') {
      if (byteOrderMark.has(byte)) return false
      this.#phase = byte === 0x5b ? 'array' : 'values'
      if (this.#phase === 'array') return false
    } else if (byte === comma) return false
    if (byte === closeBracket && this.#phase === 'array') {
      this.#phase = 'over'
      return false
    }
    this.#begun = this.#line
    this.#depth = 0
    return true
  }

  /** Whether a number or word is over with the byte before this one. */
  #endsBefore(byte: number): boolean {
    return this.#depth === 0 && !this.#isInString && (isSpace(byte) || byte === comma || byte === closeBracket)
  }

  /** Whether the byte is the last of a container or string. */
  #endsWith(byte: number): boolean {
    if (this.#isInString) {
      if (this.#isEscaped) this.#isEscaped = false
      else if (byte === backslash) this.#isEscaped = true
      else if (byte === quote) this.#isInString = false
      return !this.#isInString && this.#depth === 0
    }
    if (byte === quote) this.#isInString = true
    else if (openBrackets.has(byte)) this.#depth++
    else if (closeBrackets.has(byte)) return --this.#depth <= 0
    return false
  }

  #finish(last: Uint8Array): Element {
    const line = this.#begun ?? this.#line
    const bytes = this.#held.length === 0 ? last : Buffer.concat([...this.#held, last])
    this.#held = []
    this.#heldBytes = 0
    this.#begun = undefined
    try {
      return { kind: 'text', line, text: utf8.decode(bytes) }
    } catch {
      return { kind: 'bad', line, problem: 'is not valid UTF-8' }
    }
  }

  #stop(problem: string, line: number): Element {
    this.#phase = 'over'
    this.#held = []
    return { kind: 'bad', line, problem }
  }
}
