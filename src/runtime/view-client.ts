import type { Sequence } from '../core/event.ts'
import { type Gap, gapFrame, heartbeatFrame, infoFrame } from '../core/event-stream.ts'
import { formatPosition } from '../core/position.ts'
import type { Outlet, ViewConnection } from './api.ts'
import { type Chunk, restOf } from './view-chunk.ts'

/** What a client needs of its view. */
export interface ClientSurroundings {
  readonly incarnation: string
  readonly heartbeatMs: number
  readonly patienceMs: number
  /** The newest sequence. */
  head(): Sequence
  find(position: Sequence): Chunk | undefined
  want(position: Sequence): void
  monotonic(): number
  /** So many events were sent. */
  sent(count: number): void
  missed(): void
  wasCut(): void
  left(client: ViewClient): void
}

export interface ClientStart {
  readonly position: Sequence
  readonly gap: Gap | undefined
  readonly narrow: ((chunk: Chunk) => Chunk) | undefined
  /** Looked at while the connection lasts: a token may end. */
  readonly isAllowed: () => boolean
}

const encoder = new TextEncoder()

/**
 * One client's way through a view: it is handed what comes after its position for as long as its connection takes it.
 * Once the connection says that it is full, nothing is handed over until it has room again; the log is the buffer. A
 * connection that has no room for `patienceMs` is cut, and its client comes back with the position it had.
 */
export class ViewClient implements ViewConnection {
  readonly #around: ClientSurroundings
  readonly #start: ClientStart
  #position: Sequence
  #outlet: Outlet | undefined
  #isOver = false
  #fullSince: number | undefined
  #beatAt = 0

  constructor(around: ClientSurroundings, start: ClientStart) {
    this.#around = around
    this.#start = start
    this.#position = start.position
  }

  open(outlet: Outlet): void {
    if (this.#isOver) {
      outlet.end()
      return
    }
    this.#outlet = outlet
    this.#beatAt = this.#around.monotonic()
    const { gap } = this.#start
    // Only the notice of a gap moves a client on: one that never reads it is told again.
    this.#write(infoFrame(gap === undefined ? this.#id() : undefined))
    if (gap !== undefined) this.#tellGap(gap)
    this.pump()
  }

  resume(): void {
    this.#fullSince = undefined
    this.pump()
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#around.left(this)
  }

  end(): void {
    if (this.#isOver) return
    this.close()
    // What does not fit now would keep the connection open for as long as nobody reads.
    if (this.#fullSince === undefined) this.#outlet?.end()
    else this.#outlet?.cut()
  }

  /** Hands over what there is. */
  pump(): void {
    if (this.#outlet === undefined) return
    while (!this.#isOver && this.#fullSince === undefined && this.#position < this.#around.head()) {
      const chunk = this.#around.find(this.#position)
      if (chunk === undefined) {
        this.#around.want(this.#position)
        return
      }
      this.#take(chunk)
    }
  }

  /** Looks after the connection now and then. */
  tend(nowMs: number): void {
    const { heartbeatMs, patienceMs } = this.#around
    if (this.#isOver || this.#outlet === undefined) return
    if (!this.#start.isAllowed()) this.end()
    else if (this.#fullSince !== undefined) {
      if (nowMs - this.#fullSince >= patienceMs) this.#cut()
    } else if (nowMs - this.#beatAt >= heartbeatMs) {
      this.#beatAt = nowMs
      this.#write(heartbeatFrame(this.#id()))
    }
  }

  #cut(): void {
    this.#around.wasCut()
    this.close()
    this.#outlet?.cut()
  }

  #take(chunk: Chunk): void {
    if (this.#position < chunk.first - 1) {
      const gap: Gap = { reason: 'retention', from: this.#position, oldest: chunk.first }
      this.#position = chunk.first - 1
      this.#tellGap(gap)
      return
    }
    const shown = this.#start.narrow?.(chunk) ?? chunk
    const { bytes, count } = restOf(shown, this.#position)
    this.#position = chunk.upTo
    if (count === 0) return
    this.#around.sent(count)
    this.#write(bytes)
  }

  #tellGap(gap: Gap): void {
    this.#around.missed()
    this.#write(gapFrame(this.#id(), gap))
  }

  #id(): string {
    return formatPosition(this.#around.incarnation, this.#position)
  }

  #write(what: string | Uint8Array): void {
    const bytes = typeof what === 'string' ? encoder.encode(what) : what
    if (this.#outlet?.write(bytes) === false) this.#fullSince = this.#around.monotonic()
  }
}
