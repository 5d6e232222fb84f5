import type { ServerResponse } from 'node:http'
import { AppError } from '../core/errors.ts'
import type { BodyMessage } from './body-message.ts'
import type { HttpRequest } from './http.ts'
import { type Readings, readWhole, tooLarge } from './whole-body.ts'

/** A request of `node:http` as the routes see it. One object per request and no copies: this is the hot path. */
export class NodeRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: HttpRequest['headers']
  readonly #message: BodyMessage
  readonly #answer: ServerResponse
  readonly #readings: Readings
  readonly #awaitsContinue: boolean
  #gone: AbortSignal | undefined

  constructor(message: BodyMessage, answer: ServerResponse, readings: Readings, awaitsContinue: boolean) {
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
    return readWhole(message, { bytes: limitBytes, hold }, this.#readings)
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
