import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { type Entry, entryOf } from './entry.ts'

const chunkBytes = 256 * 1024
/** Larger files have no hash: reading them at every change would be all that the disk does. */
const maxHashBytes = 1024 ** 3

/**
 * SHA-256 of a file's content, in hexadecimal. Undefined when it is too large, cannot be read, is no longer the file that
 * was seen, or changes while it is read. A file with a second hard link is not read: its content may belong elsewhere.
 */
export async function hashFile(path: string, entry: Entry, signal: AbortSignal): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined)
  if (handle === undefined) return undefined
  try {
    const isSame = async (): Promise<boolean> => {
      const stats = await handle.stat({ bigint: true })
      return (
        stats.isFile() && stats.nlink === 1n && entryOf(stats)?.version === entry.version && stats.size <= maxHashBytes
      )
    }
    if (!(await isSame()) || (await realpath(path)) !== path) return undefined
    const digest = createHash('sha256')
    const buffer = Buffer.allocUnsafe(chunkBytes)
    for (let at = 0; ; ) {
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, at)
      if (bytesRead === 0) break
      if (signal.aborted) return undefined
      digest.update(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
    return (await isSame()) ? digest.digest('hex') : undefined
  } catch {
    return undefined
  } finally {
    await handle.close()
  }
}
