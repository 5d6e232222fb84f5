import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers'
import type { Clock, Platform, Timer } from '../core/platform.ts'

export interface VirtualPlatformOptions {
  /** Wall time at the beginning, milliseconds since 1970. Default: 2026-01-01T00:00:00Z. */
  readonly startMs?: number | undefined
  /** Random numbers and ids follow from it. Two platforms with one seed mint the same ids. Default: 1. */
  readonly seed?: number | undefined
  /** Real work that time waits for: resolves when some of it has ended, false when there is none. Default: none. */
  readonly work?: (() => Promise<boolean>) | undefined
}

/** A platform whose time moves only when a test says so. */
export interface VirtualPlatform extends Platform {
  /**
   * Moves time on, running each timer at its own moment, in order, with everything that follows from it done before
   * the next: promises, `soon` tasks and timers that are new. Real I/O in between is waited for only as `work` says.
   */
  advance(ms: number): Promise<void>
  /** Moves time to the next timer and runs it; false when there is none. */
  advanceToNext(): Promise<boolean>
  /** Lets promises and `soon` tasks run, without moving time. */
  settle(): Promise<void>
  /** Moves the wall clock only, as an administrator or NTP does; timers and `monotonic` do not notice. */
  moveWallClock(ms: number): void
  /** Timers that are set. */
  readonly timers: number
}

interface VirtualTimer {
  readonly due: number
  readonly place: number
  readonly task: () => void
}

/** A platform for tests: three days of retries take milliseconds and every run is the same. */
export function createVirtualPlatform(options: VirtualPlatformOptions = {}): VirtualPlatform {
  const { startMs = 1_767_225_600_000, seed = 1, work } = options
  const random = createRandom(seed)
  const idRandom = createRandom(seed ^ 0x5eed)
  const timers = new Set<VirtualTimer>()
  let elapsed = 0
  let wallShift = 0
  let places = 0
  let soonTasks = 0
  let moving: Promise<unknown> = Promise.resolve()

  const turns = async (): Promise<void> => {
    // Two quiet turns: a promise that a `soon` task resolved may ask for another `soon`.
    for (let quiet = 0; quiet < 2; quiet++) {
      if (soonTasks > 0) quiet = -1
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const settle = async (): Promise<void> => {
    do await turns()
    while ((await work?.()) === true)
  }
  const earliest = (): VirtualTimer | undefined => {
    let first: VirtualTimer | undefined
    for (const timer of timers) {
      if (first === undefined || timer.due < first.due || (timer.due === first.due && timer.place < first.place)) {
        first = timer
      }
    }
    return first
  }
  const run = async (timer: VirtualTimer): Promise<void> => {
    timers.delete(timer)
    elapsed = Math.max(elapsed, timer.due)
    timer.task()
    await settle()
  }
  const advance = async (ms: number): Promise<void> => {
    const target = elapsed + ms
    await settle()
    for (let next = earliest(); next !== undefined && next.due <= target; next = earliest()) await run(next)
    elapsed = target
    await settle()
  }
  const advanceToNext = async (): Promise<boolean> => {
    await settle()
    const next = earliest()
    if (next === undefined || next.due === Number.POSITIVE_INFINITY) return false
    await run(next)
    return true
  }
  // Movements of time follow one another, also when a test starts two at once.
  const inTurn = <T>(move: () => Promise<T>): Promise<T> => {
    const moved = moving.then(move)
    moving = moved.catch(() => undefined)
    return moved
  }
  const clock: Clock = { now: () => startMs + wallShift + elapsed, monotonic: () => elapsed }
  return {
    clock,
    after(delayMs, task): Timer {
      const timer = { due: elapsed + Math.max(0, delayMs), place: places++, task }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    soon(task) {
      soonTasks++
      setImmediate(() => {
        soonTasks--
        task()
      })
    },
    random,
    id: () => uuidFrom(idRandom),
    digest: (text) => createHash('sha256').update(text, 'utf8').digest('base64url'),
    advance: (ms) => inTurn(() => advance(ms)),
    advanceToNext: () => inTurn(advanceToNext),
    settle,
    moveWallClock(ms) {
      wallShift += ms
    },
    get timers() {
      return timers.size
    },
  }
}

/** Mulberry32: small, seeded, good enough for jitter; never for secrets. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function uuidFrom(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}
