import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Chain, ChainMember } from '../core/chain.ts'
import { AppError } from '../core/errors.ts'
import type { HttpRequest } from './http.ts'

/** Bodies being read, so that one slow sender can be timed without a timer of its own. */
export type Readings = Chain<Reading>
export interface Reading extends ChainMember<Reading> {
  readonly startedAt: number
  fail(): void
}

/** A request of `node:http` as the routes see it. One object per request and no copies: this is the hot path. */
export class NodeRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: HttpRequest['headers']
  readonly #message: IncomingMessage
  readonly #answer: ServerResponse
  readonly #readings: Readings
  readonly #awaitsContinue: boolean
  #gone: AbortSignal | undefined

  constructor(message: IncomingMessage, answer: ServerResponse, readings: Readings, awaitsContinue: boolean) {
    const url = message.url ?? '/'
    const mark = url.indexOf('?')
    this.method = message.method ?? 'GET'
    this.path = mark === -1 ? url : url.slice(0, mark)
    this.query = mark === -1 ? '' : url.slice(mark + 1)
    this.headers = message.headers
    this.#message = message
    this.#answer = answer
    this.#readings = readings
    this.#awaitsContinue = awaitsContinue
  }

  get gone(): AbortSignal {
    if (this.#gone === undefined) {
      const gone = new AbortController()
      this.#answer.once('close', () => gone.abort())
      if (this.#answer.destroyed) gone.abort()
      this.#gone = gone.signal
    }
    return this.#gone
  }

  get address(): string | undefined {
    return this.#message.socket.remoteAddress
  }

  readBody(limitBytes: number, hold?: (bytes: number) => void): Promise<Uint8Array> {
    const message = this.#message
    if (Number(message.headers['content-length'] ?? 0) > limitBytes) return Promise.reject(tooLarge(limitBytes))
    if (this.#awaitsContinue) this.#answer.writeContinue()
    return new Promise((resolve, reject) => {
      let first: Buffer | undefined
      let parts: Buffer[] | undefined
      let size = 0
      const readings = this.#readings
      const reading: Reading = {
        startedAt: performance.now(),
        fail: () => fail(new AppError('request-timeout', 'the request did not arrive in time: send it again')),
        before: undefined,
        after: undefined,
        isChained: false,
      }
      const onData = (part: Buffer): void => {
        size += part.length
        try {
          // Counted here, as the bytes come: Content-Length is only a claim, and a chunked body has none (SEC-28).
          if (size > limitBytes) throw tooLarge(limitBytes)
          hold?.(part.length)
        } catch (error) {
          fail(error)
          return
        }
        if (first === undefined) first = part
        else if (parts === undefined) parts = [first, part]
        else parts.push(part)
      }
      const fail = (error: unknown): void => {
        readings.delete(reading)
        message.off('data', onData)
        parts = undefined
        first = undefined
        reject(error)
      }
      message.on('data', onData)
      message.on('end', () => {
        readings.delete(reading)
        resolve(parts === undefined ? (first ?? noBytes) : Buffer.concat(parts, size))
      })
      message.on('error', () => fail(new AppError('body-malformed', 'the request ended before its body did')))
      readings.add(reading)
    })
  }

  async *chunks(idleMs: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const message = this.#message
    if (this.#awaitsContinue) this.#answer.writeContinue()
    let problem: AppError | undefined
    // Ends the reading without ending the answer, which is on the same socket.
    let wake: (() => void) | undefined
    const stop = (error: AppError): void => {
      problem ??= error
      wake?.()
    }
    const onStop = (): void => stop(new AppError('stopping', 'the server is stopping: send the rest when it is back'))
    const onCut = (): void => stop(new AppError('body-malformed', 'the stream was cut'))
    const onWake = (): void => wake?.()
    const timer = setInterval(() => stop(new AppError('request-timeout', `nothing came for ${idleMs} ms`)), idleMs)
    timer.unref()
    signal.addEventListener('abort', onStop)
    message.on('readable', onWake).on('end', onWake).on('error', onCut).on('aborted', onCut)
    try {
      if (signal.aborted) onStop()
      while (problem === undefined) {
        const part: Buffer | null = message.read()
        if (part !== null) {
          yield part
          timer.refresh()
        } else if (message.readableEnded) return
        else if (message.destroyed) onCut()
        else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
      throw problem
    } finally {
      clearInterval(timer)
      signal.removeEventListener('abort', onStop)
      message.off('readable', onWake).off('end', onWake).off('aborted', onCut)
    }
  }
}

const noBytes = new Uint8Array(0)

function tooLarge(limitBytes: number): AppError {
  return new AppError('body-too-large', `the body is larger than ${limitBytes} bytes: send less at once`)
}
