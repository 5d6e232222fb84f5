import { timeText } from '../core/event.ts'
import { eventTypeOption } from '../io/event-type.ts'
import { evaluateFor, expressionOption, rejectingExpressions } from '../io/expression-option.ts'
import { keyFor, keyOption, withoutKey } from '../io/key-option.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Derived, StageResult } from '../plugin/stage.ts'
import { count, duration } from '../plugin/values.ts'

/** What has been counted of a key so far. */
interface Sum {
  readonly from: number
  readonly count: number
  readonly sum: number
  readonly min: number | null
  readonly max: number | null
  readonly last: number | null
}

const counted = 'counted in an aggregate'

/**
 * Counts the events of a key, and sums a number of each, over windows of time or so many at a time; then derives one event
 * that says it. Windows begin at multiples of their length. The sums are stored with the deliveries that changed them, and
 * the derived event with their end, so that every event counts exactly once over crashes (G9).
 */
export const aggregate = defineStage({
  name: 'aggregate',
  summary: 'Makes one event of many: count, sum, least, most and last of each key, over a time or a number.',
  options: schema
    .strictObject({
      by: keyOption('What is counted separately. Default: the subject.').prefault('event.subject'),
      value: expressionOption('The number that is summed. Default: only the events are counted.').optional(),
      every: duration('The length of a window.', 1).optional(),
      count: count('How many events make one. With every, whichever comes first.', 1).optional(),
      eventType: eventTypeOption('The type of what is derived.'),
      pass: schema.boolean().default(false).describe('True: the counted events go on, too.'),
    })
    .refine(({ every, count: many }) => every !== undefined || many !== undefined, {
      error: 'it needs every (a duration) or count, else nothing would ever be derived',
    }),
  example: { by: 'data.device', value: 'data.celsius', every: '1m', eventType: 'device.minute' },
  create({ by, value, every, count: many, eventType, pass }) {
    const derived = (key: string, { from, ...sum }: Sum, until: number): Derived => ({
      type: eventType,
      subject: key,
      data: {
        key,
        ...sum,
        average: sum.count === 0 ? null : sum.sum / sum.count,
        from: timeText(from),
        until: timeText(until),
      },
    })
    return {
      keyOf: (input) => keyFor(by, input),
      process(input) {
        const key = keyFor(by, input)
        if (key === undefined) return withoutKey(by)
        return rejectingExpressions((): StageResult => {
          const number = value === undefined ? null : evaluateFor(value, input)
          if (value !== undefined && typeof number !== 'number')
            return { outcome: 'reject', reason: `its value is no number: ${value.text.slice(0, 100)}` }
          const { now } = input
          const begun = input.kept as Sum | undefined
          const end = begun === undefined || every === undefined ? undefined : endOf(begun.from, every)
          // The window has ended and its timer has not come yet; or the clock was set back behind the window before it.
          const isOver = end !== undefined && (end <= now || now < begun!.from - every!)
          const done: Derived[] = isOver ? [derived(key, begun!, end)] : []
          const sum = add(isOver ? undefined : begun, number as number | null, now, every)
          if (!Number.isFinite(sum.sum))
            return { outcome: 'reject', reason: 'the sum would be larger than a number can be' }
          const isFull = many !== undefined && sum.count >= many
          if (isFull) done.push(derived(key, sum, now))
          const dueAt = every === undefined ? undefined : endOf(sum.from, every)
          return {
            outcome: pass ? 'ack' : 'discard',
            reason: counted,
            derive: done,
            keep: isFull ? { value: null } : { value: { ...sum }, dueAt },
          }
        })
      },
      onDue: ({ key, value: kept }) => {
        const sum = kept as unknown as Sum
        return { keep: { value: null }, derive: [derived(key, sum, endOf(sum.from, every!))] }
      },
    }
  },
})

function endOf(from: number, every: number): number {
  return (Math.floor(from / every) + 1) * every
}

function add(sum: Sum | undefined, value: number | null, now: number, every: number | undefined): Sum {
  const from = sum?.from ?? (every === undefined ? now : Math.floor(now / every) * every)
  if (value === null) return { from, count: (sum?.count ?? 0) + 1, sum: 0, min: null, max: null, last: null }
  return {
    from,
    count: (sum?.count ?? 0) + 1,
    sum: (sum?.sum ?? 0) + value,
    min: Math.min(sum?.min ?? value, value),
    max: Math.max(sum?.max ?? value, value),
    last: value,
  }
}
