import { IncomingMessage } from 'node:http'

/** Takes a body as it comes. */
export interface BodyTaker {
  part(bytes: Buffer): void
  /** The body is whole. */
  end(): void
}

/**
 * A request whose body can be had from the parser itself, which pushes it here part by part. As a stream it would pass a
 * queue and three events on later ticks: 2.5 µs of the 20 that a bare server takes for a small request.
 */
export class BodyMessage extends IncomingMessage {
  #taker: BodyTaker | undefined

  /** Gives the body to the taker: what is here, and what comes until its end, until `leave`, or until the message fails. */
  giveTo(taker: BodyTaker): void {
    this.#taker = taker
    for (let part = this.read() as Buffer | null; part !== null; part = this.read() as Buffer | null) {
      this.#taker?.part(part)
    }
    if (this.complete) this.#end()
  }

  /** What still comes is a stream again. */
  leave(): void {
    this.#taker = undefined
  }

  override push(part: Buffer | null): boolean {
    if (this.#taker === undefined) return super.push(part)
    if (part === null) this.#end()
    else this.#taker.part(part)
    return true
  }

  #end(): void {
    const taker = this.#taker
    this.#taker = undefined
    taker?.end()
  }
}
