import { timeText } from '../core/event.ts'
import { eventTypeOption } from '../io/event-type.ts'
import { parseSchedule, type Schedule, sleepTowards } from '../io/schedule.ts'
import { defineSource } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Source, SourceBatch, SourceContext } from '../plugin/source.ts'
import { duration } from '../plugin/values.ts'

/** More at once would be a flood, not a repair. */
const mostMissed = 1000

const options = schema
  .strictObject({
    schedule: schema
      .string()
      .min(1)
      .max(200)
      .describe('When: a cron pattern of five fields, or six with seconds first, or @hourly, @daily and the like.'),
    timezone: schema.string().min(1).max(100).default('UTC').describe('The time zone that the pattern is meant in.'),
    eventType: eventTypeOption('The type of the events.').default('cron.tick'),
    subject: schema.string().min(1).max(512).optional().describe('The subject of the events; none without it.'),
    data: schema.json().optional().describe('The data of every event; none without it.'),
    missed: schema
      .enum(['skip', 'one', 'all'])
      .default('skip')
      .describe('What of the moments that passed while it was down: none, the last one, or all of them.'),
    maxMissed: schema
      .int()
      .min(1)
      .max(mostMissed)
      .default(100)
      .describe('With missed: all, how many are made up for at most; the oldest are left out.'),
    grace: duration('How late a moment may be and still counts as kept.', 0, 3_600_000).prefault('1m'),
  })
  .superRefine(({ schedule, timezone }, context) => {
    const parsed = parseSchedule(schedule, timezone)
    if (parsed.ok) return
    const path = [parsed.problem.includes('time zone') ? 'timezone' : 'schedule']
    context.addIssue({ code: 'custom', message: parsed.problem, path })
  })
type Options = ReturnType<typeof options.parse>

/**
 * Makes an event at each moment that a cron pattern names.
 * - The id is the source's name and the moment, so that neither a restart nor a clock that is set back makes one twice.
 * - The event's time is the moment it stands for, also when it comes late.
 * - Moments that passed while the process was down, or that came later than `grace`, are treated as `missed` says.
 */
export const cron = defineSource({
  name: 'cron',
  summary: 'Makes an event at each moment that a cron pattern names.',
  options,
  example: { schedule: '0 3 * * *', timezone: 'Europe/Berlin', eventType: 'report.due' },
  create: (checked): Source => createCron(checked),
})

function createCron(checked: Options): Source {
  const parsed = parseSchedule(checked.schedule, checked.timezone)
  if (!parsed.ok) throw new Error(parsed.problem)
  const { schedule } = parsed
  return {
    async *read(cursor, context) {
      let last = momentOf(cursor)
      if (last === undefined) {
        if (context.signal.aborted) return
        // Stored before the first moment, so that one missed before the first event is known to be missed.
        last = context.clock.now()
        yield { events: [], cursor: timeText(last) }
      }
      while (!context.signal.aborted) {
        const now = context.clock.now()
        // A clock that was set back begins where it stands now; ids absorb what comes again.
        const from: number = Math.min(last, now)
        const next = schedule.next(from)
        if (next > now) {
          last = from
          if (!(await sleepTowards(context, next))) return
          continue
        }
        const moments = dueMoments(schedule, from, now, checked, context)
        last = schedule.last(now + 1, 1)[0] ?? now
        yield { events: moments.map((moment) => eventAt(moment, checked, context.name)), cursor: timeText(last) }
      }
    },
  }
}

/** The moments after `from` that an event is made for: those that are in time, and of the others what `missed` says. */
function dueMoments(
  schedule: Schedule,
  from: number,
  now: number,
  { missed, maxMissed, grace }: Options,
  { log }: SourceContext,
): readonly number[] {
  const lateUntil = now - grace
  const kept: number[] = []
  for (let moment = schedule.next(Math.max(from, lateUntil)); moment <= now; moment = schedule.next(moment)) {
    kept.push(moment)
  }
  const first = schedule.next(from)
  if (first > lateUntil) return kept
  const wanted = missed === 'all' ? maxMissed : missed === 'one' ? 1 : 0
  const late = wanted === 0 ? [] : schedule.last(lateUntil + 1, wanted).filter((moment) => moment > from)
  const oldest = late[0]
  if (missed !== 'one' && (oldest === undefined || oldest > first)) {
    log.warn('moments of the schedule were missed and are left out', { from: timeText(first), missed })
  }
  return [...late, ...kept]
}

function eventAt(
  moment: number,
  { eventType: type, subject, data }: Options,
  name: string,
): SourceBatch['events'][number] {
  const time = timeText(moment)
  return {
    id: `${name}@${time}`,
    type,
    time,
    ...(subject !== undefined && { subject }),
    ...(data !== undefined && { data }),
  }
}

/** A cursor is the last moment that was dealt with; one that another plug-in left behind is none. */
function momentOf(cursor: string | undefined): number | undefined {
  const moment = cursor === undefined ? Number.NaN : Date.parse(cursor)
  return Number.isNaN(moment) ? undefined : moment
}
