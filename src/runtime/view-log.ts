import { messageOf } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Store } from '../plugin/store.ts'
import { type Chunk, chunkBytes, emptyChunk, encodeChunks, type Lens } from './view-chunk.ts'

/** Bounds of what is kept encoded: enough that clients that keep up, and those that come back together, share it. */
const keptChunks = 128
const keptBytes = 2 * 1024 * 1024
/** Events of one read: as many as two chunks hold, by the size of those before, within these. */
const leastEvents = 16
const mostEvents = 1024
const retryMs = 1000

/** How a view shows the log, and how much of it. */
interface Shown extends Lens {
  /** The last event that is shown yet. */
  head(): Sequence
}

/** Positions from which somebody waits to read on. One read at a time, in the order in which they were asked for. */
interface Line {
  readonly wanted: Set<Sequence>
  isBusy: boolean
}

/**
 * The log as one view shows it: read and encoded once for every client that stands at the same place. What was encoded
 * last is kept. Clients at the front do not wait for those that catch up: each kind has its own line of reads.
 */
export class ViewLog {
  readonly #store: Store
  readonly #platform: Platform
  readonly #log: Log
  readonly #lens: Shown
  readonly #onLoaded: () => void
  readonly #near: Line = { wanted: new Set(), isBusy: false }
  readonly #far: Line = { wanted: new Set(), isBusy: false }
  #chunks: Chunk[] = []
  #bytes = 0
  /** The furthest that was read. */
  #front: Sequence = 0
  #limit = 256
  isStopped = false
  /** Why the last read failed. */
  lastError: string | undefined

  constructor(store: Store, platform: Platform, log: Log, lens: Shown, onLoaded: () => void) {
    this.#store = store
    this.#platform = platform
    this.#log = log
    this.#lens = lens
    this.#onLoaded = onLoaded
  }

  /** What comes after a position, when it is at hand. */
  find(position: Sequence): Chunk | undefined {
    return this.#chunks.findLast(({ after, upTo }) => after <= position && position < upTo)
  }

  /** Reads on from a position; everybody is told when it is at hand. */
  want(position: Sequence): void {
    const line = position >= this.#front ? this.#near : this.#far
    line.wanted.add(position)
    this.#run(line)
  }

  /** Nobody reads any more. */
  forget(): void {
    this.#chunks = []
    this.#bytes = 0
  }

  #run(line: Line): void {
    const [position] = line.wanted
    if (line.isBusy || position === undefined || this.isStopped) return
    line.isBusy = true
    const goOn = (): void => {
      line.isBusy = false
      this.#run(line)
    }
    this.#read(position).then(
      (chunks) => {
        this.lastError = undefined
        line.wanted.delete(position)
        this.#keep(chunks)
        this.#onLoaded()
        // Between two reads everything else gets a turn.
        this.#platform.soon(goOn)
      },
      (error: unknown) => {
        if (this.isStopped) return
        const message = messageOf(error)
        if (this.lastError !== message)
          this.#log.error('reading the log for a view failed; it is tried again', { error: message })
        this.lastError = message
        this.#platform.after(retryMs, goOn)
      },
    )
  }

  async #read(position: Sequence): Promise<readonly Chunk[]> {
    const head = this.#lens.head()
    if (head <= position) return []
    const read = await this.#store.read(position, this.#limit)
    // What came meanwhile has its turn when it is shown.
    const events = (read.at(-1)?.sequence ?? 0) > head ? read.filter(({ sequence }) => sequence <= head) : read
    if (events.length === 0) return [emptyChunk(position, head)]
    const chunks = encodeChunks(position, events, this.#store.incarnation, this.#lens)
    const size = chunks.reduce((sum, { bytes }) => sum + bytes.length, 0)
    const wanted = Math.ceil((2 * chunkBytes * events.length) / Math.max(1, size))
    this.#limit = Math.min(mostEvents, Math.max(leastEvents, wanted))
    return chunks
  }

  #keep(chunks: readonly Chunk[]): void {
    for (const chunk of chunks) {
      this.#chunks.push(chunk)
      this.#bytes += chunk.bytes.length
      this.#front = Math.max(this.#front, chunk.upTo)
    }
    while (
      this.#chunks.length > chunks.length &&
      (this.#bytes > keptBytes || this.#chunks.length > keptChunks + chunks.length)
    )
      this.#bytes -= this.#chunks.shift()!.bytes.length
  }
}
