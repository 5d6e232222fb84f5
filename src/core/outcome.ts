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
