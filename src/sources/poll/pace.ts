import type { Platform } from '../../core/platform.ts'
import { nextDelayMs } from '../../core/retry.ts'
import { type Schedule, sleepTowards } from '../../io/schedule.ts'
import type { SourceContext } from '../../plugin/source.ts'
import type { PollOptions } from './options.ts'

/** When the next poll is due. Outlives the failures of a reader, so that a restart does not hurry it. */
export interface Pace {
  /** Waits for the next poll; false when the pipeline stops. */
  wait(context: SourceContext): Promise<boolean>
  /** A poll begins. Until `done` it counts as failed, so that a failed commit holds it back too. */
  begin(): void
  /** It failed; answers how long until the next try. The longer of back-off and the server's own wish counts. */
  failed(retryAfterMs: number | undefined): number
  /** It came to its end. */
  done(): void
}

const defaultEveryMs = 60_000

/** Makes the pace of one source: its interval or schedule, and the back-off between. */
export function createPace(
  { every = defaultEveryMs, backoff }: Pick<PollOptions, 'every' | 'backoff'>,
  schedule: Schedule | undefined,
  { clock, random }: Platform,
): Pace {
  const policy = {
    attempts: Number.POSITIVE_INFINITY,
    delaysMs: [],
    backoff: { baseMs: backoff.first, factor: 2, maxMs: Math.max(backoff.first, backoff.max) },
    jitter: 0.2,
    retryAfterMaxMs: backoff.maxRetryAfter,
  }
  let failures = 0
  let beganMs = 0
  let dueMs: number | undefined = schedule === undefined ? clock.monotonic() : undefined
  const holdBack = (retryAfterMs?: number): number => {
    const delayMs = nextDelayMs(policy, failures, random, retryAfterMs)!
    dueMs = clock.monotonic() + delayMs
    return delayMs
  }
  return {
    async wait(context) {
      if (dueMs !== undefined) {
        const restMs = dueMs - clock.monotonic()
        return restMs > 0 ? context.sleep(restMs) : !context.signal.aborted
      }
      const momentMs = schedule!.next(clock.now())
      while (clock.now() < momentMs) if (!(await sleepTowards(context, momentMs))) return false
      return !context.signal.aborted
    },
    begin() {
      beganMs = clock.monotonic()
      failures += 1
      holdBack()
    },
    failed: holdBack,
    done() {
      failures = 0
      dueMs = schedule === undefined ? beganMs + every : undefined
    },
  }
}
