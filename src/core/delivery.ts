import { assertNever } from './errors.ts'
import type { Outcome } from './outcome.ts'
import type { RetryPolicy } from './plan.ts'
import { nextDelayMs } from './retry.ts'

/** What happens to a delivery after one attempt of one step. */
export type Decision =
  /** The step is done: on to the next one, or delivered. */
  | { readonly kind: 'advance' }
  | { readonly kind: 'discard'; readonly reason: string }
  /** Again at `dueAt`, wall time in milliseconds. */
  | { readonly kind: 'wait'; readonly dueAt: number }
  | { readonly kind: 'die'; readonly reason: string; readonly disable: boolean }

/**
 * Decides from an outcome. `attempt` counts the attempts made within the step, this one included.
 * A thrown error is a `retry` with `hasThrown`, which may have an attempt limit of its own.
 */
export function decide(
  policy: { readonly retry: RetryPolicy; readonly throwAttempts: number },
  outcome: Outcome,
  facts: { readonly attempt: number; readonly hasThrown: boolean; readonly nowMs: number },
  random: () => number,
): Decision {
  switch (outcome.outcome) {
    case 'ack':
      return { kind: 'advance' }
    case 'discard':
      return { kind: 'discard', reason: outcome.reason ?? 'discarded' }
    case 'reject':
      return { kind: 'die', reason: outcome.reason ?? 'rejected', disable: outcome.disable === true }
    case 'retry': {
      const limit = facts.hasThrown ? Math.min(policy.throwAttempts, policy.retry.attempts) : policy.retry.attempts
      const policyMs = nextDelayMs({ ...policy.retry, attempts: limit }, facts.attempt, random, outcome.retryAfterMs)
      if (policyMs === undefined) {
        const why = outcome.reason === undefined ? '' : `: ${outcome.reason}`
        return {
          kind: 'die',
          reason: `gave up after ${facts.attempt} attempt${facts.attempt === 1 ? '' : 's'}${why}`,
          disable: false,
        }
      }
      return { kind: 'wait', dueAt: facts.nowMs + (ownDelayMs(outcome) ?? policyMs) }
    }
    default:
      return assertNever(outcome.outcome)
  }
}

/** The delay that a stage or sink gave; undefined when it gave none, or what cannot be waited for. */
function ownDelayMs({ delayMs }: Outcome): number | undefined {
  const wholeMs = Math.ceil(delayMs ?? Number.NaN)
  return Number.isSafeInteger(wholeMs) && wholeMs >= 0 ? wholeMs : undefined
}
