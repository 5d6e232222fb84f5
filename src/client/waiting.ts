import type { AppError } from '../core/errors.ts'
import type { Encoded } from './encode.ts'
import type { PublishResult } from './types.ts'

/** An event in memory, whose publisher waits for its end. */
export interface Item extends Encoded {
  /** By `performance.now()`. */
  readonly giveUpAt: number
  /** It was in a request. */
  wasSent: boolean
  /** It was in one that may have stored it. */
  mayBeStored: boolean
  /** Called once. With an error, publish throws it, and the result is what is known all the same. */
  readonly end: (result: PublishResult, error?: AppError) => void
}

/** What a request may hold: well below what a server takes by default (1 MiB). */
const mostChars = 512 * 1024

/** The events that go first, as many as fit into a request; one at least. */
export function takeBatch<Sent extends { readonly text: string }>(from: Sent[], most: number): Sent[] {
  let chars = 0
  let count = 0
  while (count < Math.min(from.length, most)) {
    chars += from[count]!.text.length
    if (count > 0 && chars > mostChars) break
    count += 1
  }
  return from.splice(0, count)
}

/** A wait that can be cut short. */
export interface Wakeable {
  /** Resolves after so long, or when woken. `isBackground`: nobody waits for it, so it keeps no process alive. */
  sleep(ms: number, isBackground: boolean): Promise<void>
  wake(): void
}

export function createWakeable(): Wakeable {
  let wakeUp: (() => void) | undefined
  return {
    sleep(ms, isBackground) {
      return new Promise((resolve) => {
        // In a browser a timer is a number.
        const timer: unknown = setTimeout(resolve, Math.max(0, ms))
        if (isBackground) (timer as { unref?: () => void }).unref?.()
        wakeUp = () => {
          clearTimeout(timer as NodeJS.Timeout)
          resolve()
        }
      })
    },
    wake: () => wakeUp?.(),
  }
}

/** Lets everything that is ready to run have its turn. */
export function turn(): Promise<void> {
  // A browser has no setImmediate, and its shortest timer is long.
  return new Promise((resolve) =>
    typeof setImmediate === 'function' ? setImmediate(resolve) : queueMicrotask(resolve),
  )
}
