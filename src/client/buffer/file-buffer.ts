import { AppError, messageOf } from '../../core/errors.ts'
import { lineOf, newline, textOf } from './lines.ts'
import { type Lock, takeLock } from './lock.ts'
import { LogFile } from './log-file.ts'
import { nodeModules } from './node.ts'

/** What is read at once, if the first line is not longer. */
const readBytes = 512 * 1024
/** What was sent is cut off when it is this much of what the file may hold: seldom enough to cost little. */
const sentShare = 4

interface Writing {
  readonly line: Buffer
  resolve(): void
  reject(error: unknown): void
}

/**
 * Events on disk until the server has them: written by their publisher, sent from the beginning, in order. All work on the
 * file goes through one line of tasks; what is added while the disk is busy goes there together.
 */
export class FileBuffer {
  readonly path: string
  readonly #maxBytes: number
  readonly #lock: Lock
  readonly #log: LogFile
  #events = 0
  #writing: Writing[] = []
  #writingBytes = 0
  #tasks: Promise<unknown> = Promise.resolve()
  /** Lengths of the lines that were read last. */
  #read: number[] = []
  #isLost = false

  private constructor(path: string, maxBytes: number, lock: Lock, log: LogFile, events: number) {
    this.path = path
    this.#maxBytes = maxBytes
    this.#lock = lock
    this.#log = log
    this.#events = events
  }

  /** Opens a buffer, or makes it. Throws `state-conflict` when another process has it. */
  static async open(path: string, maxBytes: number): Promise<FileBuffer> {
    const { fs, path: paths } = nodeModules()
    await fs.mkdir(paths.dirname(path), { recursive: true })
    const lock = await takeLock(path)
    try {
      const log = await LogFile.open(path)
      return new FileBuffer(path, maxBytes, lock, log, await countLines(log))
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** Events not sent, also those that are being written. */
  get events(): number {
    return this.#events
  }

  /** Of these, how many are being written. */
  get writing(): number {
    return this.#writing.length
  }

  /** What is not sent takes this much of the file. */
  get bytes(): number {
    return this.#log.end - this.#log.position
  }

  /** Resolves when the event is on disk; undefined when there is no room for it. */
  append(text: string): Promise<void> | undefined {
    const line = lineOf(text)
    const sent = this.#log.position
    const canCut = sent >= this.#maxBytes / sentShare
    if (this.#log.end - (canCut ? sent : 0) + this.#writingBytes + line.length > this.#maxBytes) return undefined
    this.#events += 1
    this.#writingBytes += line.length
    const written = new Promise<void>((resolve, reject) => this.#writing.push({ line, resolve, reject }))
    if (this.#writing.length === 1) void this.#inTurn(() => this.#write())
    return written
  }

  /** The next lines to send, and how many before and between them were damaged, which are left out for good. */
  read(most: number): Promise<{ readonly lines: readonly string[]; readonly damaged: number }> {
    return this.#inTurn(async () => {
      await this.#checkLock()
      let bytes = await this.#log.read(readBytes)
      // A line may be longer than what is read at once.
      while (!bytes.includes(newline) && bytes.length < this.bytes) {
        const before = bytes.length
        bytes = await this.#log.read(before * 2)
        if (bytes.length <= before) throw new Error(`the buffer ${this.path} was cut by somebody else`)
      }
      const lines: string[] = []
      let damaged = 0
      this.#read = []
      for (
        let at = 0, end = bytes.indexOf(newline);
        end !== -1 && lines.length < most;
        end = bytes.indexOf(newline, at)
      ) {
        const text = textOf(bytes.subarray(at, end))
        const length = end + 1 - at
        at = end + 1
        if (text !== undefined) {
          lines.push(text)
          this.#read.push(length)
          continue
        }
        damaged += 1
        // Those behind a line go away with it, those before the first now.
        if (lines.length > 0) this.#read[lines.length - 1]! += length
        else await this.#log.moveTo(this.#log.position + length)
      }
      this.#events -= damaged
      return { lines, damaged }
    })
  }

  /** The server has answered for the first so many of the lines that were read last. */
  sent(count: number): Promise<void> {
    return this.#inTurn(async () => {
      if (count === 0) return
      const length = this.#read.slice(0, count).reduce((sum, each) => sum + each, 0)
      await this.#log.moveTo(this.#log.position + length)
      this.#events -= count
      // Empty: the file becomes small again, when that is worth it.
      if (this.bytes === 0 && this.#log.position > this.#maxBytes / sentShare) await this.#log.cut()
    })
  }

  async close(): Promise<void> {
    await this.#inTurn(() => this.#log.close())
    await this.#lock.release()
  }

  async #write(): Promise<void> {
    const group = this.#writing
    try {
      await this.#checkLock()
      // From here on what is added goes into the next write.
      const bytes = Buffer.concat(group.map(({ line }) => line))
      const count = group.length
      if (this.#log.end + bytes.length > this.#maxBytes) await this.#log.cut()
      await this.#log.append(bytes)
      this.#writing = group.slice(count)
      this.#writingBytes -= bytes.length
      for (const { resolve } of group.slice(0, count)) resolve()
      if (this.#writing.length > 0) void this.#inTurn(() => this.#write())
    } catch (error) {
      this.#writing = []
      this.#writingBytes = 0
      this.#events -= group.length
      const why = `publishing failed: the server is away, and the buffer ${this.path} cannot be written: ${messageOf(error)}`
      for (const { reject } of group) reject(new AppError('server-unreachable', why, { cause: error }))
    }
  }

  async #checkLock(): Promise<void> {
    this.#isLost ||= !(await this.#lock.isHeld())
    if (this.#isLost) throw new AppError('state-conflict', `the buffer ${this.path} was taken by another process`)
  }

  /** One task after the other; a failed one stops nobody. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#tasks.then(task)
    this.#tasks = done.catch(() => undefined)
    return done
  }
}

async function countLines(log: LogFile): Promise<number> {
  let count = 0
  for (let at = log.position; at < log.end; ) {
    const bytes = await log.read(readBytes, at)
    for (let found = bytes.indexOf(newline); found !== -1; found = bytes.indexOf(newline, found + 1)) count += 1
    at += bytes.length
  }
  return count
}
