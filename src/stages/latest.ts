import type { Json } from '../core/event.ts'
import { evaluateFor, expressionOption, rejectingExpressions } from '../io/expression-option.ts'
import { keyFor, keyOption, withoutKey } from '../io/key-option.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'

/**
 * Discards what is not newer (by time: what is older) than the last one of its key that was let through: events that arrive out of order never take
 * the place of a newer state (S3-21). The last version of each key is stored with the step, for ever.
 */
export const latest = defineStage({
  name: 'latest',
  summary: 'Discards events that are older than the last one of their key.',
  options: schema.strictObject({
    by: keyOption('Whose versions are compared. Default: the subject.').prefault('event.subject'),
    version: expressionOption(
      'What tells newer from older: a number, or text in order. Default: the time of the event.',
    ).optional(),
  }),
  example: { by: 'event.subject', version: 'data.version' },
  create: ({ by, version }) => ({
    keyOf: (input) => keyFor(by, input),
    process(input) {
      if (keyFor(by, input) === undefined) return withoutKey(by)
      return rejectingExpressions((): StageResult => {
        if (version === undefined) return byTime(input)
        const mine = comparable(evaluateFor(version, input))
        if (mine === undefined) return { outcome: 'reject', reason: 'its version is neither a number nor text' }
        return isNewer(mine, input) ? { outcome: 'ack', keep: { value: mine } } : older(mine, input)
      })
    },
  }),
})

/** Of two with the same time, the one that was stored later counts as newer: producers' clocks tick in milliseconds. */
function byTime({ kept, event }: StageInput): StageResult {
  const mine = millisecondsOf(event.time)
  if (kept === undefined || mine >= Number(kept)) return { outcome: 'ack', keep: { value: mine } }
  return { outcome: 'discard', reason: `its time ${event.time} is before that of one that was let through` }
}

/** With the parts of a millisecond, about four to the microsecond. */
function millisecondsOf(time: string): number {
  const parts = /\.\d{3}(\d+)/.exec(time)?.[1] ?? ''
  return Date.parse(time) + Number(`0.${parts}`)
}

function comparable(value: Json): number | string | undefined {
  return typeof value === 'number' || typeof value === 'string' ? value : undefined
}

function isNewer(mine: number | string, { kept }: StageInput): boolean {
  if (kept === undefined) return true
  return typeof mine === typeof kept ? mine > (kept as number | string) : typeof mine === 'number'
}

function older(mine: number | string, { kept }: StageInput): StageResult {
  return { outcome: 'discard', reason: `version ${mine} is not newer than ${String(kept)}, which was let through` }
}
