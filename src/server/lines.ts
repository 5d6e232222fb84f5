/** One line of a stream: its bytes without the newline, or undefined when it was longer than allowed. */
export type LineBytes = Uint8Array | undefined

/** Cuts chunks into lines and never holds more than `maxBytes` of one: the rest of a longer line is skipped. */
export function createLineCutter(maxBytes: number): {
  /** The lines that this chunk completes. */
  push(chunk: Uint8Array): LineBytes[]
  /** The last line, when the stream ended without a newline. */
  end(): LineBytes[]
} {
  let parts: Uint8Array[] = []
  let size = 0

  const add = (part: Uint8Array): void => {
    if (part.length === 0) return
    size += part.length
    if (size > maxBytes) parts = []
    else parts.push(part)
  }
  const take = (): LineBytes => {
    const line = size > maxBytes ? undefined : parts.length === 1 ? parts[0] : Buffer.concat(parts)
    parts = []
    size = 0
    return line
  }
  return {
    push(chunk) {
      const lines: LineBytes[] = []
      let from = 0
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
        add(chunk.subarray(from, at))
        lines.push(take())
        from = at + 1
      }
      add(chunk.subarray(from))
      return lines
    },
    end: () => (size === 0 ? [] : [take()]),
  }
}
