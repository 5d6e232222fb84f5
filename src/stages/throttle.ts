import type { Sequence } from '../core/event.ts'
import { evaluateFor, expressionOption, rejectingExpressions } from '../io/expression-option.ts'
import { textOfValue } from '../io/pick.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageResult } from '../plugin/stage.ts'
import { count, rate } from '../plugin/values.ts'

/** Keys whose last turn is remembered; those whose time is over are forgotten first. */
const keysKept = 100_000

/**
 * Lets so many events through in a time. Each that comes too early is given a turn of its own and waits for it in its row,
 * in order and without a counted attempt. Turns are in memory: after a restart they are given anew.
 */
export const throttle = defineStage({
  name: 'throttle',
  summary: 'Lets no more events through than a rate allows, in all or for each key.',
  isPure: true,
  options: schema.strictObject({
    rate: rate('How many in a time: 10/s, 600/m.'),
    by: expressionOption(
      'What has a rate of its own, as an expression: event.subject. Default: all together.',
    ).optional(),
    burst: count('How many may come at once after a pause. Default: 1.').default(1),
  }),
  example: { rate: '10/s', by: 'event.subject' },
  create({ rate, by, burst }, { platform }) {
    const turns = createTurns(1000 / rate.perSecond, burst)
    return {
      process: (input) =>
        rejectingExpressions((): StageResult | undefined => {
          const key = by === undefined ? '' : (textOfValue(evaluateFor(by, input)) ?? '')
          const left = turns.wait(key, input.event.sequence, platform.clock.now())
          return left > 0
            ? { outcome: 'retry', reason: 'it waits for its turn', delay: `${left}ms`, isWait: true }
            : undefined
        }),
    }
  },
})

/** When each is let through (the generic cell rate algorithm), with turns that stay given. */
function createTurns(intervalMs: number, burst: number) {
  /** By key: when the next one would come at an even pace. */
  const nextAt = new Map<string, number>()
  const given = new Map<Sequence, number>()
  const forget = (now: number): void => {
    for (const [key, at] of nextAt) if (at <= now || nextAt.size > keysKept) nextAt.delete(key)
    for (const [sequence, at] of given) if (at < now - 3_600_000) given.delete(sequence)
  }
  return {
    /** Milliseconds until its turn; 0: it is. */
    wait(key: string, sequence: Sequence, now: number): number {
      const mine = given.get(sequence)
      if (mine !== undefined) {
        if (mine <= now) given.delete(sequence)
        return Math.max(0, Math.ceil(mine - now))
      }
      if (nextAt.size >= keysKept || given.size >= keysKept) forget(now)
      const at = Math.max(now, nextAt.get(key) ?? 0)
      nextAt.set(key, at + intervalMs)
      const left = Math.ceil(at - (burst - 1) * intervalMs - now)
      if (left <= 0) return 0
      given.set(sequence, now + left)
      return left
    },
  }
}
