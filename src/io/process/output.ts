import type { Readable } from 'node:stream'

/** The last bytes that a process wrote to one of its streams. */
export interface Captured {
  readonly text: string
  /** More was written than is kept. */
  readonly isTruncated: boolean
}

/**
 * Reads a stream to its end and keeps the last bytes: what went wrong stands at the end.
 * All is read, because a process whose output nobody takes would stop.
 */
export function captureEnd(stream: Readable, maxBytes: number): () => Captured {
  let kept: Buffer[] = []
  let bytes = 0
  let isTruncated = false
  stream.on('data', (chunk: Buffer) => {
    kept.push(chunk)
    bytes += chunk.length
    if (bytes <= maxBytes) return
    isTruncated = true
    // Joined only now and then, so that a flood of small pieces is not copied for each of them.
    if (bytes < 2 * maxBytes && kept.length < 256) return
    kept = [Buffer.concat(kept).subarray(-maxBytes)]
    bytes = kept[0]!.length
  })
  stream.on('error', () => undefined)
  return () => ({ text: textOf(Buffer.concat(kept).subarray(-maxBytes), isTruncated), isTruncated })
}

function textOf(bytes: Buffer, isCut: boolean): string {
  let begin = 0
  // Not in the middle of a character.
  if (isCut) while (begin < bytes.length && begin < 3 && (bytes[begin]! & 0xc0) === 0x80) begin++
  return bytes.toString('utf8', begin)
}
