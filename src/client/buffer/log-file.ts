import { AppError } from '../../core/errors.ts'
import { newline } from './lines.ts'
import { nodeModules } from './node.ts'
import { openPosition, type PositionFile } from './position.ts'

type FileHandle = Awaited<ReturnType<ReturnType<typeof nodeModules>['fs']['open']>>

const magic = 'millrace-buffer 1 '
const generationLength = 32
const headerLength = magic.length + generationLength + 1
const chunkBytes = 256 * 1024

/**
 * The file of a buffer: a header with its generation, then lines. It only grows, until what was sent is cut off in front by
 * writing the rest into a new file of another generation, which takes its place at once.
 */
export class LogFile {
  readonly #path: string
  readonly #places: PositionFile
  #handle: FileHandle
  #generation: string
  #end: number
  #position = headerLength

  private constructor(path: string, places: PositionFile, handle: FileHandle, generation: string, end: number) {
    this.#path = path
    this.#places = places
    this.#handle = handle
    this.#generation = generation
    this.#end = end
  }

  /** Opens the file at a path, or makes it; what an earlier process left half written at its end is cut off. */
  static async open(path: string): Promise<LogFile> {
    const { fs } = nodeModules()
    const isThere = ((await fs.stat(path).catch(() => undefined))?.size ?? 0) > 0
    const { handle, generation } = isThere ? await openExisting(path) : await create(path, async () => undefined)
    try {
      const places = await openPosition(`${path}.position`)
      const log = new LogFile(path, places, handle, generation, (await handle.stat()).size)
      await log.#recover()
      return log
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Where the next line will begin. */
  get end(): number {
    return this.#end
  }

  /** Where the first line begins that was not sent. */
  get position(): number {
    return this.#position
  }

  /** Adds whole lines and waits until the disk has them. A failed write leaves nothing. */
  async append(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, this.#end + done)
        done += bytesWritten
      }
      await this.#handle.datasync()
    } catch (error) {
      // Their publisher is told that they are not there, so they must not be.
      await this.#handle.truncate(this.#end)
      throw error
    }
    this.#end += bytes.length
  }

  /** What follows a place, at most so much. */
  async read(length: number, from: number = this.#position): Promise<Buffer> {
    const most = Math.max(0, Math.min(length, this.#end - from))
    const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(most), 0, most, from)
    return buffer.subarray(0, bytesRead)
  }

  async moveTo(position: number): Promise<void> {
    this.#position = position
    await this.#places.write(this.#generation, position)
  }

  /** Goes on in a new file that has only what was not sent. When that fails, the old one is as it was. */
  async cut(): Promise<void> {
    const { handle, generation } = await create(this.#path, async (next) => {
      for (let at = this.#position; at < this.#end; ) {
        const bytes = await this.read(chunkBytes, at)
        if (bytes.length === 0) throw new Error(`${this.#path} ends before its end`)
        await next.write(bytes)
        at += bytes.length
      }
    })
    const old = this.#handle
    this.#end -= this.#position - headerLength
    this.#position = headerLength
    this.#handle = handle
    this.#generation = generation
    await old.close()
  }

  async close(): Promise<void> {
    await this.#places.close()
    await this.#handle.close()
  }

  async #recover(): Promise<void> {
    const noted = await this.#places.read(this.#generation)
    if (noted !== undefined && (await this.#isStartOfLine(noted))) this.#position = noted
    const end = await this.#endOfLines()
    if (end === this.#end) return
    await this.#handle.truncate(end)
    await this.#handle.datasync()
    this.#end = end
  }

  async #isStartOfLine(offset: number): Promise<boolean> {
    const isInside = Number.isSafeInteger(offset) && offset >= headerLength && offset <= this.#end
    return isInside && (await this.read(1, offset - 1))[0] === newline
  }

  /** Behind the last line break. */
  async #endOfLines(): Promise<number> {
    for (let upTo = this.#end; upTo > this.#position; ) {
      const from = Math.max(this.#position, upTo - chunkBytes)
      const at = (await this.read(upTo - from, from)).lastIndexOf(newline)
      if (at !== -1) return from + at + 1
      upTo = from
    }
    return this.#position
  }
}

interface Opened {
  readonly handle: FileHandle
  readonly generation: string
}

async function openExisting(path: string): Promise<Opened> {
  const handle = await nodeModules().fs.open(path, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(headerLength), 0, headerLength, 0)
  const text = buffer.toString('latin1')
  if (text.startsWith(magic) && text.endsWith('\n')) return { handle, generation: text.slice(magic.length, -1) }
  await handle.close()
  const what = 'is another kind of file; give a path of its own'
  throw new AppError('config-invalid', `the buffer was not opened: ${path} ${what}`)
}

/** A new file with what `fill` writes: made beside its place and then moved there, so that a crash leaves the one or the other. */
async function create(path: string, fill: (next: FileHandle) => Promise<void>): Promise<Opened> {
  const { fs, path: paths, crypto } = nodeModules()
  const generation = crypto.randomBytes(generationLength / 2).toString('hex')
  const handle = await fs.open(`${path}.new`, 'w+', 0o600)
  try {
    await handle.write(`${magic}${generation}\n`)
    await fill(handle)
    await handle.sync()
    await fs.rename(`${path}.new`, path)
  } catch (error) {
    await handle.close()
    throw error
  }
  // Windows has no folders that can be synced.
  const folder = await fs.open(paths.dirname(path), 'r').catch(() => undefined)
  await folder?.sync().catch(() => undefined)
  await folder?.close()
  return { handle, generation }
}
