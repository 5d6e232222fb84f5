import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError, messageOf } from '../../core/errors.ts'

export interface Rotation {
  readonly size: number
  readonly keep: number
  readonly daily: boolean
}

export interface AppendFileOptions {
  readonly path: string
  readonly rotate?: Rotation | undefined
  /** True: `append` resolves when the lines are on disk. */
  readonly isSynced: boolean
}

/** A file of whole lines that only grows, until it is rotated. */
export interface AppendFile {
  /** Appends whole lines; all of them are there when it resolves. After an error the file must be opened anew. */
  append(lines: Uint8Array, nowMs: number): Promise<void>
  close(): Promise<void>
}

const dayMs = 86_400_000

/** Opens the file, making it and its folder when missing, and cuts off the half line that a crash has left. */
export async function openAppendFile({ path, rotate, isSynced }: AppendFileOptions): Promise<AppendFile> {
  let handle = await openHealed(path)
  let { size, mtimeMs, ino, dev } = await handle.stat()
  let good = size

  const reopen = async (): Promise<void> => {
    await handle.close()
    handle = await openHealed(path)
    ;({ size, mtimeMs, ino, dev } = await handle.stat())
    good = size
  }
  const isReplaced = async (): Promise<boolean> => {
    const there = await stat(path).catch(() => undefined)
    return there === undefined || there.ino !== ino || there.dev !== dev
  }
  return {
    async append(lines, nowMs) {
      // Somebody may have moved or deleted it (logrotate): lines written to a deleted file would be lost.
      if (await isReplaced()) await reopen()
      const isNewDay = rotate?.daily === true && Math.floor(nowMs / dayMs) > Math.floor(mtimeMs / dayMs)
      if (rotate !== undefined && size > 0 && (size + lines.length > rotate.size || isNewDay)) {
        await rotateFiles(path, rotate.keep)
        await reopen()
      }
      try {
        await writeAll(handle, lines)
        if (isSynced) await handle.datasync()
      } catch (error) {
        await handle.truncate(good).catch(() => undefined)
        throw error
      }
      good += lines.length
      size = good
      mtimeMs = nowMs
    },
    close: () => handle.close(),
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten
}

async function openHealed(path: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NONBLOCK } = constants
  let handle: FileHandle | undefined
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const isNew = (await stat(path).catch(() => undefined)) === undefined
    // Non-blocking, so that a pipe put there is refused below instead of waited for.
    handle = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK, 0o600)
    if (!(await handle.stat()).isFile()) throw new Error('it is not a regular file')
    if (isNew) await syncFolder(dirname(path))
    await heal(handle)
    return handle
  } catch (error) {
    await handle?.close()
    const message = `opening ${path} to append events failed: ${messageOf(error)}; give the sink a file that this user can write`
    throw new AppError('plugin-failed', message, { cause: error })
  }
}

const searchBytes = 64 * 1024

/** A last line without its newline was never acknowledged: it is cut off, unless it is whole JSON that somebody else wrote. */
async function heal(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat()
  let tail = Buffer.alloc(0)
  let from = size
  while (from > 0 && tail.indexOf(10) === -1) {
    const length = Math.min(searchBytes, from)
    from -= length
    const part = Buffer.alloc(length)
    await handle.read(part, 0, length, from)
    tail = Buffer.concat([part, tail])
    if (tail.at(-1) === 10) return
  }
  const start = tail.lastIndexOf(10) + 1
  const rest = tail.subarray(start)
  if (rest.length === 0) return
  if (isJson(rest.toString('utf8'))) await writeAll(handle, Buffer.from('\n'))
  else await handle.truncate(from + start)
  await handle.datasync()
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** path.keep is deleted, path.n becomes path.n+1, path becomes path.1. A crash between leaves a gap, which does no harm. */
async function rotateFiles(path: string, keep: number): Promise<void> {
  await rm(`${path}.${keep}`, { force: true })
  for (let n = keep - 1; n >= 1; n--) await renameIfThere(`${path}.${n}`, `${path}.${n + 1}`)
  await renameIfThere(path, `${path}.1`)
  await syncFolder(dirname(path))
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** Makes new names in a folder survive a power cut, where the platform can. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
