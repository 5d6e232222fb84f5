import type { Dispatcher, Pool } from 'undici'
import { type NoAnswer, noAnswerOf } from './http-failure.ts'

/** One outbound request. Headers are a flat list of names and values, which costs least. */
export interface HttpPost {
  readonly url: URL
  readonly headers: string[]
  readonly body: string | Uint8Array
  /** True: the beginning of the answer is kept also of a success. */
  readonly keepsExcerpt?: boolean | undefined
  /** Tells when nobody waits for the answer any more: at once when that is so already. */
  onAbort(listener: () => void): void
}

/** What came back; never thrown. The body is read to its end and only its beginning is kept. */
export type HttpAnswer =
  | {
      readonly kind: 'response'
      readonly status: number
      readonly retryAfter: string | undefined
      readonly excerpt: string
    }
  | NoAnswer

const excerptBytes = 1024
/** An answer's body longer than this costs its connection: reading on would serve nobody. */
const maxBodyBytes = 256 * 1024

/** The types of bodies whose beginning is shown to people (SEC-13). */
const shownTypes = /^(text\/|application\/([\w.+-]*json|xml|problem\+json))/i

/**
 * Posts, reads the answer and gives what `conclude` makes of it. The way of every webhook attempt, so it makes nothing that
 * it does not need.
 */
export function post<Result>(
  pool: Pool,
  path: string,
  { headers, body, keepsExcerpt, onAbort }: HttpPost,
  conclude: (answer: HttpAnswer) => Result,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const done = (answer: HttpAnswer): void => {
      try {
        resolve(conclude(answer))
      } catch (error) {
        reject(error)
      }
    }
    const exchange = new Exchange(done, keepsExcerpt === true)
    onAbort(() => exchange.giveUp())
    if (!exchange.isAborted) pool.dispatch({ path, method: 'POST', headers, body }, exchange)
  })
}

/**
 * One request and its answer. It has the methods that undici itself calls, of which the newer ones are a translation that
 * makes three objects more for every request.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #done: (answer: HttpAnswer) => void
  readonly #keepsExcerpt: boolean
  #abort: ((reason: Error) => void) | undefined
  #status = 0
  #retryAfter: string | undefined
  #isShown = false
  #kept: Buffer[] | undefined
  #keptBytes = 0
  #bodyBytes = 0
  isAborted = false

  constructor(done: (answer: HttpAnswer) => void, keepsExcerpt: boolean) {
    this.#done = done
    this.#keepsExcerpt = keepsExcerpt
  }

  /** Nobody waits any more. */
  giveUp(): void {
    this.isAborted = true
    this.#done({ kind: 'failed', failure: 'timeout' })
    this.#abort?.(abortError)
  }

  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort
    if (this.isAborted) abort(abortError)
  }

  onHeaders(status: number, headers: Buffer[]): boolean {
    this.#status = status
    if (status >= 200 && status < 300 && !this.#keepsExcerpt) return true
    this.#retryAfter = headerOf(headers, 'retry-after')
    this.#isShown = shownTypes.test(headerOf(headers, 'content-type') ?? '')
    return true
  }

  onData(chunk: Buffer): boolean {
    this.#bodyBytes += chunk.length
    if (this.#isShown && this.#keptBytes < excerptBytes) {
      const part = Buffer.from(chunk.subarray(0, excerptBytes - this.#keptBytes))
      this.#kept = this.#kept === undefined ? [part] : [...this.#kept, part]
      this.#keptBytes += part.length
    }
    if (this.#bodyBytes > maxBodyBytes) {
      this.#respond()
      this.#abort?.(abortError)
    }
    return true
  }

  onComplete(): void {
    this.#respond()
  }

  onError(error: Error): void {
    this.#done(noAnswerOf(error))
  }

  #respond(): void {
    const excerpt = this.#kept === undefined ? '' : excerptOf(this.#kept)
    this.#done({ kind: 'response', status: this.#status, retryAfter: this.#retryAfter, excerpt })
  }
}

const abortError = new Error('nobody waits for the answer any more')

/** The first header of that name in a list of names and values. */
function headerOf(headers: readonly Buffer[], wanted: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]!
    if (name.length === wanted.length && name.toString('latin1').toLowerCase() === wanted)
      return headers[i + 1]!.toString('latin1')
  }
  return undefined
}

function excerptOf(parts: readonly Buffer[]): string {
  // A character cut at the end becomes U+FFFD, which is dropped; within the text it stays visible.
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/\ufffd$/, '')
    .replaceAll('\0', '')
}
