import { evaluateFor, expressionOption, rejectingExpressions } from '../io/expression-option.ts'
import { keyFor, keyOption, withoutKey } from '../io/key-option.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'
import { count, duration } from '../plugin/values.ts'
import { createQueue, type Line } from './reorder/queue.ts'

/** How often a waiting event looks whether its turn has come, as a part of the longest wait. */
const looks = 20
const leastLookMs = 20

/**
 * Lets the events of a key through in order. By `sequence`, one whose predecessors are missing waits for them, at most
 * `wait`; then the gap is given up, up to the first one that is there. By time, every event waits until `wait` after its own
 * time, and goes in the order of these times. What comes after its place has passed is late.
 *
 * Times are counted as if each event had been seen when it was stored: a subscription that lags behind, or begins with old
 * events, puts them in the same order as one that keeps up. A restart begins the wait of those that wait anew.
 */
export const reorder = defineStage({
  name: 'reorder',
  summary: 'Brings the events of a key into order again, with a longest wait.',
  options: schema.strictObject({
    by: keyOption('What has an order of its own. Default: the subject.').prefault('event.subject'),
    sequence: expressionOption(
      'The place of an event, a whole number without gaps. Default: order by time.',
    ).optional(),
    first: count('The first place, where by sequence. Default: 1.', 0).default(1),
    wait: duration('How long to wait for what is missing.', 1),
    late: schema.enum(['discard', 'pass']).default('discard').describe('What becomes of one that comes too late.'),
  }),
  excludes: {
    ordering:
      'what waits here for an earlier event of its key would keep that one from coming: leave ordering out, the stage makes the order',
  },
  example: { by: 'data.device', sequence: 'data.n', wait: '30s' },
  create({ by, sequence, first, wait, late }) {
    const queue = createQueue()
    const settle = (input: StageInput, key: string): StageResult => {
      const lag = queue.lag(input)
      if (sequence === undefined) return byTime(input, wait + lag, late)
      return rejectingExpressions(() => {
        const due = { at: input.event.record.appendedAt + lag + wait, lookMs: lookMs(wait) }
        return bySequence(input, evaluateFor(sequence, input), { first, due, late, line: queue.lineOf(key) })
      })
    }
    return {
      keyOf: (input) => keyFor(by, input),
      process(input) {
        const key = keyFor(by, input)
        if (key === undefined) return withoutKey(by)
        const result = settle(input, key)
        if (result.outcome !== 'retry') queue.leave(key, input.event.sequence)
        return result
      },
    }
  },
})

interface Order {
  readonly first: number
  readonly due: { readonly at: number; readonly lookMs: number }
  readonly late: 'discard' | 'pass'
  readonly line: Line
}

function bySequence({ kept, now, event }: StageInput, place: unknown, { first, due, late, line }: Order): StageResult {
  if (!Number.isSafeInteger(place)) return { outcome: 'reject', reason: 'its place is no whole number' }
  const mine = place as number
  const next = typeof kept === 'number' ? kept : first
  if (mine < next) return tooLate(late, `its place ${mine} has passed: the next is ${next}`)
  const goOn = (): StageResult => ({ outcome: 'ack', keep: { value: mine + 1 } })
  if (mine === next) return goOn()
  const left = due.at - now
  if (left > 0) {
    line.wait(mine, event.sequence)
    return later(Math.min(left, due.lookMs), `it waits for ${next}`)
  }
  if (line.isCalled(next, now)) return later(due.lookMs, `it waits for ${next}`)
  // It looks by itself, and has had its turn in two looks, unless it is gone.
  const earlier = line.call(next, mine, now + 2 * due.lookMs)
  if (earlier === undefined) return goOn()
  return { ...later(due.lookMs, `it waits for ${earlier}`), keep: { value: earlier } }
}

function byTime({ kept, now, event }: StageInput, wait: number, late: 'discard' | 'pass'): StageResult {
  const time = Date.parse(event.time)
  if (typeof kept === 'number' && time < kept) return tooLate(late, 'one with a later time was let through')
  // One whose time lies ahead waits no longer than one that came at once.
  const left = Math.min(time, event.record.appendedAt) + wait - now
  return left > 0 ? later(left, 'it waits for earlier ones') : { outcome: 'ack', keep: { value: time } }
}

const lookMs = (wait: number): number => Math.max(leastLookMs, Math.round(wait / looks))

function later(ms: number, reason: string): StageResult {
  return { outcome: 'retry', reason, delay: `${Math.ceil(ms)}ms`, isWait: true }
}

function tooLate(late: 'discard' | 'pass', reason: string): StageResult {
  return late === 'pass' ? { outcome: 'ack' } : { outcome: 'discard', reason }
}
