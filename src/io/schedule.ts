import { Cron } from 'croner'
import type { SourceContext } from '../plugin/source.ts'

/** The moments that a cron pattern names, in milliseconds since 1970. */
export interface Schedule {
  /** The first moment after the given one. */
  next(afterMs: number): number
  /** At most `count` moments before the given one, oldest first. */
  last(beforeMs: number, count: number): readonly number[]
}

type Parsed = { readonly ok: true; readonly schedule: Schedule } | { readonly ok: false; readonly problem: string }

const help =
  'write five fields (minute hour day month weekday) or six with seconds first, for example "*/5 * * * *" or "0 3 * * MON-FRI"'

/**
 * Reads a cron pattern. Daylight saving: a time of day that does not exist comes at the first moment after the gap, one that
 * exists twice comes once; patterns with `*` or a step in hour, minute or second go on through both hours.
 */
export function parseSchedule(pattern: string, timezone: string): Parsed {
  if (!isTimezone(timezone))
    return { ok: false, problem: 'this is not a time zone: write it as Europe/Berlin, America/New_York or UTC' }
  let cron: Cron
  try {
    cron = new Cron(pattern.trim(), { timezone, paused: true, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' })
  } catch {
    return { ok: false, problem: `this is not a cron pattern: ${help}` }
  }
  // The pattern has no years, so what does not come after 1970 never comes.
  if (cron.getOnce() !== null) return { ok: false, problem: `this is a single date: ${help}` }
  if (cron.nextRun(new Date(0)) === null) return { ok: false, problem: 'this names a day that never comes' }
  const schedule: Schedule = {
    next: (afterMs) => cron.nextRun(new Date(afterMs))!.getTime(),
    last(beforeMs, count) {
      const found = cron.previousRuns(count, new Date(beforeMs))
      return found.map((moment) => moment.getTime()).reverse()
    },
  }
  return { ok: true, schedule }
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** A clock that was set, or a machine that slept, is noticed after this time at the latest. */
const pieceMs = 30_000

/** Sleeps towards a moment of the wall clock, one piece of the way at most; false when the pipeline stops. */
export function sleepTowards(context: Pick<SourceContext, 'clock' | 'sleep'>, momentMs: number): Promise<boolean> {
  return context.sleep(Math.max(1, Math.min(pieceMs, Math.ceil(momentMs - context.clock.now()))))
}
