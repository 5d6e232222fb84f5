import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'

/** A folder of contents, each under its own SHA-256: what is there is never changed. */
export interface ContentFolder {
  /** Stores the bytes and answers their reference, once they are on the disk. */
  put(bytes: Uint8Array): Promise<string>
  /** The bytes of a reference; `changed` when they are no longer those. Throws when they are not there. */
  get(reference: string): Promise<Uint8Array | 'changed'>
}

/** The form of a reference: `sha256:` and 64 hexadecimal digits. */
export const referencePattern = /^sha256:[0-9a-f]{64}$/

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Makes a content folder; nothing is touched before the first call. */
export function contentFolder(path: string): ContentFolder {
  const placeOf = (hex: string): string => join(path, hex.slice(0, 2), hex)
  return {
    async put(bytes) {
      const hex = digestOf(bytes)
      const place = placeOf(hex)
      if (!(await isRenewed(place, bytes))) await write(join(path, hex.slice(0, 2)), place, bytes)
      return `sha256:${hex}`
    },
    async get(reference) {
      const hex = reference.slice('sha256:'.length)
      const bytes = await readFile(placeOf(hex))
      return digestOf(bytes) === hex ? bytes : 'changed'
    },
  }
}

/** True when the bytes are there; the file is then as new as if it were written now, for whoever removes old ones. */
async function isRenewed(place: string, bytes: Uint8Array): Promise<boolean> {
  try {
    if (!(await readFile(place)).equals(bytes)) return false
    const now = new Date()
    await utimes(place, now, now)
    return true
  } catch {
    return false
  }
}

/** Beside it, synced, and renamed: a name never stands for half a content. */
async function write(folder: string, place: string, bytes: Uint8Array): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const temporary = `${place}.${randomUUID()}`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, place)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const directory = await open(folder, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
