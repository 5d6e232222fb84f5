import * as nodeCrypto from 'node:crypto'
import { hash, randomUUID } from 'node:crypto'
import type { Platform, Timer } from '../core/platform.ts'

/** Node's timers take at most this; a larger delay would fire after 1 ms. */
const longestTimerMs = 2 ** 31 - 1

/** Ids that sort by time where Node makes them (24.16 and newer), else random ones; unique either way. */
const newId: () => string =
  (nodeCrypto as { readonly randomUUIDv7?: () => string }).randomUUIDv7 ?? ((): string => randomUUID())

/** The platform of a real process: real clocks, timers that never keep it alive, real chance. */
export const nodePlatform: Platform = Object.freeze({
  clock: Object.freeze({ now: () => Date.now(), monotonic: () => performance.now() }),
  after,
  soon: (task: () => void): void => {
    setImmediate(task)
  },
  random: () => Math.random(),
  id: () => newId(),
  digest: (text: string) => hash('sha256', text, 'base64url'),
})

/** Long delays are re-armed in pieces. The deadline is monotonic, so that pieces neither add up errors nor follow clock jumps. */
function after(delayMs: number, task: () => void): Timer {
  const deadline = performance.now() + delayMs
  let timer: NodeJS.Timeout
  const arm = (): void => {
    const restMs = deadline - performance.now()
    timer = setTimeout(restMs > longestTimerMs ? arm : task, Math.max(0, Math.min(restMs, longestTimerMs)))
    timer.unref()
  }
  arm()
  return { cancel: () => clearTimeout(timer) }
}
