import type { Chain, ChainMember } from '../core/chain.ts'
import { AppError } from '../core/errors.ts'
import type { BodyMessage, BodyTaker } from './body-message.ts'

/** A body being read as a whole. */
export interface Reading extends ChainMember<Reading> {
  readonly startedAt: number
  fail(error: unknown): void
}

/** Bodies being read, so that one slow sender can be timed without a timer of its own. */
export type Readings = Chain<Reading>

export interface BodyLimits {
  readonly bytes: number
  /** Told of every part before it is kept; may throw. */
  readonly hold: ((bytes: number) => void) | undefined
}

/** Reads all of a body, or fails: `body-too-large`, `body-malformed` when it is cut off, and what `hold` throws. */
export function readWhole(message: BodyMessage, limits: BodyLimits, readings: Readings): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const body = new WholeBody(message, limits, readings, resolve, reject)
    readings.add(body)
    message.on('error', () => body.fail(new AppError('body-malformed', 'the request ended before its body did')))
    message.giveTo(body)
  })
}

class WholeBody implements BodyTaker, Reading {
  readonly startedAt = performance.now()
  before: Reading | undefined
  after: Reading | undefined
  isChained = false
  readonly #message: BodyMessage
  readonly #limits: BodyLimits
  readonly #readings: Readings
  readonly #resolve: (body: Uint8Array) => void
  readonly #reject: (error: unknown) => void
  #parts: Buffer[] = []
  #size = 0

  constructor(
    message: BodyMessage,
    limits: BodyLimits,
    readings: Readings,
    resolve: (body: Uint8Array) => void,
    reject: (error: unknown) => void,
  ) {
    this.#message = message
    this.#limits = limits
    this.#readings = readings
    this.#resolve = resolve
    this.#reject = reject
  }

  part(bytes: Buffer): void {
    this.#size += bytes.length
    try {
      // Counted here, as the bytes come: Content-Length is only a claim, and a chunked body has none (SEC-28).
      if (this.#size > this.#limits.bytes) throw tooLarge(this.#limits.bytes)
      this.#limits.hold?.(bytes.length)
    } catch (error) {
      this.fail(error)
      return
    }
    this.#parts.push(bytes)
  }

  end(): void {
    this.#readings.delete(this)
    const [first = noBytes] = this.#parts
    this.#resolve(this.#parts.length < 2 ? first : Buffer.concat(this.#parts, this.#size))
  }

  fail(error: unknown): void {
    this.#readings.delete(this)
    this.#message.leave()
    this.#parts = []
    this.#reject(error)
  }
}

export function tooLarge(limitBytes: number): AppError {
  return new AppError('body-too-large', `the body is larger than ${limitBytes} bytes: send less at once`)
}

/** What a body fails with that took too long. */
export function requestTimeout(): AppError {
  return new AppError('request-timeout', 'the request did not arrive in time: send it again')
}

const noBytes = new Uint8Array(0)
