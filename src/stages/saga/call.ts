import { formatDuration } from '../../core/duration.ts'
import { messageOf } from '../../core/errors.ts'
import type { Json } from '../../core/event.ts'
import type { Platform } from '../../core/platform.ts'
import type { SagaAnswer } from '../../core/saga.ts'
import { isStepRejected } from './steps.ts'

/** A result is written with every transition after it. */
const mostCharacters = 256 * 1024
const mostOfAnError = 500

/**
 * Makes one attempt. It ends at its timeout, whatever the function does then; throws only when the pipeline stops hard,
 * which is no answer.
 */
export function callStep(
  call: (signal: AbortSignal) => unknown,
  { platform, timeoutMs, outer, isStopping }: CallSettings,
): Promise<SagaAnswer> {
  // It waited for its key until the pipeline was stopped hard.
  if (outer.aborted && isStopping()) return Promise.reject(outer.reason as Error)
  return new Promise((resolve, reject) => {
    const controller = new AbortController()
    const end = (): void => {
      timer.cancel()
      outer.removeEventListener('abort', onOuter)
    }
    const timedOut = (): void => {
      end()
      const error = `timed out after ${formatDuration(timeoutMs)}`
      controller.abort(new Error(error))
      resolve({ kind: 'failed', error })
    }
    const onOuter = (): void => {
      if (!isStopping()) {
        timedOut()
        return
      }
      end()
      controller.abort(outer.reason)
      reject(outer.reason as Error)
    }
    const timer = platform.after(timeoutMs, timedOut)
    outer.addEventListener('abort', onOuter)
    // A function that throws at once is one that rejects.
    void (async () => call(controller.signal))()
      .then(resultOf, failureOf)
      .then((answer) => {
        end()
        resolve(answer)
      })
  })
}

export interface CallSettings {
  readonly platform: Platform
  readonly timeoutMs: number
  /** Aborted by the engine: at its own timeout, and when the pipeline is stopped hard. */
  readonly outer: AbortSignal
  readonly isStopping: () => boolean
}

function resultOf(result: unknown): SagaAnswer {
  let text: string
  try {
    text = JSON.stringify(result) ?? 'null'
  } catch (error) {
    return { kind: 'failed', error: `its result is not JSON: ${messageOf(error)}` }
  }
  if (text.length > mostCharacters)
    return { kind: 'failed', error: `its result is too large: ${text.length} characters, ${mostCharacters} at most` }
  return { kind: 'done', result: JSON.parse(text) as Json }
}

function failureOf(error: unknown): SagaAnswer {
  return { kind: isStepRejected(error) ? 'rejected' : 'failed', error: messageOf(error).slice(0, mostOfAnError) }
}
