import type { SourceContext } from '../plugin/source.ts'

/**
 * Waits for a time or for a hint, whichever comes first. A sleep that a hint cut short is used again, so that hints do not
 * pile up timers.
 */
export function createPause(
  context: Pick<SourceContext, 'clock' | 'sleep'>,
): (ms: number, hint: Promise<void>) => Promise<void> {
  let sleeping: { readonly until: number; readonly end: Promise<boolean> } | undefined
  return async (ms, hint) => {
    const now = context.clock.monotonic()
    if (sleeping === undefined || sleeping.until <= now || sleeping.until > now + ms) {
      sleeping = { until: now + ms, end: context.sleep(ms) }
    }
    await Promise.race([sleeping.end, hint])
  }
}
