/** Cuts chunks of bytes into lines. */
export interface LineCutter {
  /**
   * Calls `take` for each line that this chunk completes: its bytes without the newline, or undefined when it was longer
   * than allowed; and where in the chunk it ended, just after the newline.
   */
  push(chunk: Uint8Array, take: (line: Uint8Array | undefined, end: number) => void): void
  /** The same for what came after the last newline; nothing when there was nothing. */
  end(take: (line: Uint8Array | undefined) => void): void
}

const newline = 10

/** A cutter that never holds more than `maxBytes` of a line: the rest of a longer one is skipped. Chunks may be kept. */
export function createLineCutter(maxBytes: number): LineCutter {
  let parts: Uint8Array[] = []
  let size = 0

  const add = (part: Uint8Array): void => {
    if (part.length === 0) return
    size += part.length
    if (size > maxBytes) parts = []
    else parts.push(part)
  }
  const whole = (): Uint8Array | undefined => {
    const line = size > maxBytes ? undefined : parts.length === 1 ? parts[0] : joined(parts, size)
    parts = []
    size = 0
    return line
  }
  return {
    push(chunk, take) {
      let from = 0
      for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
        add(chunk.subarray(from, at))
        from = at + 1
        take(whole(), from)
      }
      add(chunk.subarray(from))
    },
    end(take) {
      if (size > 0) take(whole())
    },
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
