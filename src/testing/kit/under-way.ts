import { clearTimeout, setTimeout } from 'node:timers'

/** Ids of messages that a fake receiver holds back on purpose: nobody waits for their answers. */
export const heldMessages = new Set<string>()

interface CallUnderWay {
  /** Of a sink: the messages that it sends. */
  readonly messages: readonly string[]
  /** A store always answers; a stage or sink may hang, on purpose or not. */
  readonly mayHang: boolean
  waitedMs: number
}

/** Counts what the plug-ins of a pipeline are doing for real while virtual time stands still. */
export interface UnderWay {
  /** Watches a call until it ends. What is no promise has ended already. */
  watch<T>(result: T, call?: { readonly messages?: readonly string[]; readonly mayHang?: boolean }): T
  /** Waits until some call ends; false when there is none that is worth waiting for. */
  next(): Promise<boolean>
}

/** How often it is looked whether a call hangs. */
const lookMs = 2

/**
 * Calls of stages and sinks that take longer than `patienceMs` of real time are taken as hanging: time then moves on without
 * them, so that their timeouts come. Only time in which this process was not held up counts.
 */
export function createUnderWay(patienceMs: number): UnderWay {
  const calls = new Set<CallUnderWay>()
  const listeners = new Set<() => void>()
  const isAwaited = ({ messages, mayHang, waitedMs }: CallUnderWay): boolean =>
    !mayHang || (waitedMs < patienceMs && !(messages.length > 0 && messages.every((each) => heldMessages.has(each))))

  return {
    watch(result, { messages = [], mayHang = false } = {}) {
      if (!isThenable(result)) return result
      const call: CallUnderWay = { messages, mayHang, waitedMs: 0 }
      calls.add(call)
      const end = () => {
        calls.delete(call)
        for (const listener of listeners) listener()
      }
      result.then(end, end)
      return result
    },
    async next() {
      const awaited = [...calls].filter(isAwaited)
      if (awaited.length === 0) return false
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer)
          listeners.delete(done)
          resolve()
        }
        const timer = setTimeout(() => {
          for (const call of awaited) call.waitedMs += lookMs
          done()
        }, lookMs)
        listeners.add(done)
      })
      return true
    },
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
