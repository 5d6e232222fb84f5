/** What a stage or a sink says of one delivery. */
export const outcomeNames = ['ack', 'retry', 'discard', 'reject'] as const
export type OutcomeName = (typeof outcomeNames)[number]

/**
 * - `ack`: done; the next step may run.
 * - `retry`: not now; again after `delayMs`, or after the policy's delay.
 * - `discard`: stop here on purpose; settles as discarded with the reason.
 * - `reject`: it can never succeed; dead at once with the reason.
 */
export interface Outcome {
  readonly outcome: OutcomeName
  /** Short text for people: it appears in `explain`, dead letters and attempts. Never event data, never a secret. */
  readonly reason?: string | undefined
  /** For `retry`: how long to wait, in milliseconds, instead of the policy's delay. */
  readonly delayMs?: number | undefined
  /** For `retry`: what the far side asks for (a `Retry-After`), in milliseconds: honoured when longer than the policy's delay, up to its cap. */
  readonly retryAfterMs?: number | undefined
  /** With `retry`: nothing failed. `delayMs` is kept exactly, and the attempt is neither counted nor remembered. */
  readonly isWait?: boolean | undefined
  /** Small JSON facts for the attempt record, for example `{ status: 503 }`. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined
  /** The place the far side gave, for sinks that append to another log. */
  readonly position?: string | undefined
  /** With `reject`: also disable the whole subscription (a webhook's 410). */
  readonly disable?: boolean | undefined
}

/** What is wrong with the answer of a sink to so many deliveries, in words that go on from "the sink"; undefined: nothing. */
export function outcomesProblem(answer: unknown, count: number): string | undefined {
  if (!Array.isArray(answer))
    return `answered ${typeof answer}; answer nothing, or a list with one outcome for each delivery`
  if (answer.length !== count) return `answered ${answer.length} outcomes for ${count} deliveries`
  for (const each of answer as readonly unknown[]) {
    const problem = outcomeProblem(each)
    if (problem !== undefined) return problem
  }
  return undefined
}

function outcomeProblem(given: unknown): string | undefined {
  if (typeof given !== 'object' || given === null)
    return `answered ${given === null ? 'null' : typeof given} as an outcome`
  const { outcome, reason, detail } = given as { readonly [Name in keyof Outcome]?: unknown }
  if (!outcomeNames.some((name) => name === outcome))
    return `answered outcome ${typeof outcome === 'string' ? JSON.stringify(outcome) : typeof outcome}; use ${outcomeNames.join(', ')}`
  if ((reason ?? undefined) !== undefined && typeof reason !== 'string') return 'answered a reason that is no text'
  return (detail ?? undefined) === undefined || isJson(detail) ? undefined : 'answered a detail that JSON cannot hold'
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined
  } catch {
    return false
  }
}

/** The one state in which a delivery ends. `filtered` events never became deliveries. */
export const settledStates = ['delivered', 'discarded', 'superseded', 'expired', 'dead', 'lost'] as const
export type SettledState = (typeof settledStates)[number]

/** One try of one step, as `explain` shows it. */
export interface Attempt {
  /** Wall time at which it began, milliseconds since 1970. */
  readonly at: number
  readonly durationMs: number
  /** `sink`, or the stage's name. */
  readonly step: string
  readonly outcome: OutcomeName
  readonly reason?: string | undefined
  readonly detail?: Readonly<Record<string, unknown>> | undefined
}
