import type { RetryPolicy, SubscriptionPolicy } from '../core/plan.ts'
import { defaultRetry, defaultThrowAttempts } from '../core/retry.ts'
import { schema } from './schema.ts'
import { duration } from './values.ts'

const attempts = schema
  .union([schema.int().min(1), schema.literal('unlimited')], {
    error: 'a whole number of at least 1 is needed, or unlimited',
  })
  .describe('Attempts in all, the first included; or unlimited.')

/** When a failed attempt is made again: of a subscription, or of one of its stages. */
export const retrySetting = schema.strictObject({
  attempts: attempts.optional(),
  delays: schema.array(duration('A wait.')).min(1).describe('Waits between attempts; the last repeats.').optional(),
  base: duration('First wait, when there are no delays. It grows by factor up to max.', 1).optional(),
  factor: schema.number().min(1).max(100).describe('By how much each wait is longer than the one before.').optional(),
  max: duration('Longest wait.', 1).optional(),
  jitter: schema.number().min(0).max(1).describe('0 to 1: up to this part of a wait is left out by chance.').optional(),
})

/** A retry policy as it is written in a configuration. */
export type RetryInput = schema.input<typeof retrySetting>
type WrittenRetry = schema.output<typeof retrySetting>

/** What decides on another attempt: of steps that return `retry`, and of those that throw. */
export type RetryPolicies = Pick<SubscriptionPolicy, 'retry' | 'throwAttempts'>

/**
 * What the user wrote wins over the sink's schedule, that over the engine's; a written number of attempts also bounds
 * steps that throw.
 */
export function retryPolicies(written: WrittenRetry | undefined, bySink?: Partial<RetryPolicy>): RetryPolicies {
  const base: RetryPolicy = { ...defaultRetry, ...bySink }
  const limit = written?.attempts === 'unlimited' ? Number.POSITIVE_INFINITY : written?.attempts
  const growing = written?.base ?? written?.factor ?? written?.max
  const baseMs = written?.base ?? base.backoff.baseMs
  return {
    retry: {
      attempts: limit ?? base.attempts,
      delaysMs: written?.delays ?? (growing === undefined ? base.delaysMs : []),
      backoff: {
        baseMs,
        factor: written?.factor ?? base.backoff.factor,
        maxMs: written?.max ?? Math.max(baseMs, base.backoff.maxMs),
      },
      jitter: written?.jitter ?? base.jitter,
      retryAfterMaxMs: base.retryAfterMaxMs,
    },
    throwAttempts: limit ?? bySink?.attempts ?? defaultThrowAttempts,
  }
}
