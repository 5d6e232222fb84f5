import { formatSize } from '../core/duration.ts'
import type { CliIo } from './io.ts'
import { count, span } from './numbers.ts'

const barWidth = 20
const everyMs = 100

export interface Progress {
  /** What is done; shown at most ten times a second. */
  show(done: { readonly count: number; readonly bytes?: number; readonly part?: number }): void
  end(): void
}

/** A line of progress on a terminal: a bar when the whole is known, count, rate, bytes and time left. */
export function createProgress(io: CliIo, noun: string, now: () => number = () => performance.now()): Progress {
  const startedAt = now()
  let shownAt = startedAt
  return {
    show(done) {
      const at = now()
      if (!io.errIsTty || at - shownAt < everyMs) return
      shownAt = at
      io.progress(progressLine(noun, done, at - startedAt))
    },
    end: () => io.progress(''),
  }
}

/** `██████────── 50%  12,000 events  8,000/s  3.1MiB  1.5s left`. */
export function progressLine(
  noun: string,
  done: { readonly count: number; readonly bytes?: number | undefined; readonly part?: number | undefined },
  elapsedMs: number,
): string {
  const parts: string[] = []
  if (done.part !== undefined) {
    const part = Math.min(1, Math.max(0, done.part))
    const full = Math.round(part * barWidth)
    parts.push(`${'█'.repeat(full)}${'─'.repeat(barWidth - full)} ${Math.floor(part * 100)}%`)
  }
  parts.push(`${count(done.count)} ${noun}`)
  if (elapsedMs > 0) parts.push(`${count((done.count * 1_000) / elapsedMs)}/s`)
  if (done.bytes !== undefined) parts.push(formatSize(done.bytes))
  if (done.part !== undefined && done.part > 0.01 && done.part < 1) {
    parts.push(`${span((elapsedMs * (1 - done.part)) / done.part)} left`)
  }
  return parts.join('  ')
}
