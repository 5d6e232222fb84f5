import { evaluateFor, expressionOption, rejectingExpressions } from '../io/expression-option.ts'
import { keyFor, keyOption, withoutKey } from '../io/key-option.ts'
import { defineStage } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { StageInput, StageResult } from '../plugin/stage.ts'
import { count, duration } from '../plugin/values.ts'

const leastLookMs = 20
/** How often a waiting event looks whether its turn has come, as a part of the longest wait. */
const looks = 20

/**
 * Lets the events of a key through in order. By `sequence`, one whose predecessors are missing waits for them, at most
 * `wait` after it was stored; then the gap is given up. By time, every event waits until `wait` after its own time, and goes
 * in the order of these times. What comes after its place has passed is late.
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
  example: { by: 'data.device', sequence: 'data.n', wait: '30s' },
  create: ({ by, sequence, first, wait, late }) => ({
    keyOf: (input) => keyFor(by, input),
    process(input) {
      if (keyFor(by, input) === undefined) return withoutKey(by)
      if (sequence === undefined) return byTime(input, wait, late)
      return rejectingExpressions(() => bySequence(input, evaluateFor(sequence, input), { first, wait, late }))
    },
  }),
})

function bySequence(
  { kept, now, event }: StageInput,
  place: unknown,
  { first, wait, late }: { readonly first: number; readonly wait: number; readonly late: 'discard' | 'pass' },
): StageResult {
  if (!Number.isSafeInteger(place)) return { outcome: 'reject', reason: 'its place is no whole number' }
  const mine = place as number
  const next = typeof kept === 'number' ? kept : first
  if (mine < next) return tooLate(late, `its place ${mine} has passed: the next is ${next}`)
  if (mine === next) return { outcome: 'ack', keep: { value: mine + 1 } }
  const left = event.record.appendedAt + wait - now
  return left > 0
    ? later(Math.min(left, lookMs(wait)), `it waits for ${next}`)
    : { outcome: 'ack', keep: { value: mine + 1 } }
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
