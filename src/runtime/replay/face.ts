import type { Event, Sequence } from '../../core/event.ts'

/**
 * - `running`: events of its range are delivered.
 * - `paused`: by hand, or because its subscription is not in the configuration.
 * - `failed`: it cannot go on by itself; resuming tries again.
 * - `done`: every delivery of it is settled, some perhaps as dead letters.
 * - `cancelled`: ended by hand; what was not delivered is not delivered.
 */
export const replayStates = ['running', 'paused', 'failed', 'done', 'cancelled'] as const
export type ReplayState = (typeof replayStates)[number]

/** What may be done with a replay that has not ended. */
export const replayActions = ['pause', 'resume', 'cancel'] as const
export type ReplayAction = (typeof replayActions)[number]

/** Whether events that are older than the subscription's time to live are delivered: yes, or settled as expired. */
export const replayTtls = ['ignore', 'keep'] as const
export type ReplayTtl = (typeof replayTtls)[number]

/** Which events are delivered again, and how. What the subscription does not read is never delivered to it. */
export interface ReplayOptions {
  /** A sequence, or a time (RFC 3339): the first event appended at or after it. */
  readonly from: number | string
  /** A sequence, itself included, or a time, itself not included. Default: the newest event. */
  readonly to?: number | string | undefined
  /** Only types that match one of these patterns. */
  readonly match?: readonly string[] | undefined
  readonly source?: readonly string[] | undefined
  readonly subject?: readonly string[] | undefined
  /** Deliveries in a time, such as `100/s`. Default: 100/s, or half of the subscription's own rate where that is less. */
  readonly rate?: string | undefined
  /** Default: ignore. */
  readonly ttl?: ReplayTtl | undefined
}

/** What a replay would deliver. */
export interface ReplayDryRun {
  readonly subscription: string
  readonly from: Sequence
  readonly to: Sequence
  /** Deliveries that the replay makes. */
  readonly count: number
  /** Of these, already older than their time to live; with `ttl: keep` they are not sent. */
  readonly expired: number
  /** Events of the range that retention has removed. */
  readonly removed: number
  /** The first of them. */
  readonly sample: readonly Event[]
  /** The count is of the events before this one: ask again from here for the rest. Absent when all are counted. */
  readonly next?: Sequence | undefined
}

/** Deliveries of a replay by where they are, as in the books of a subscription. */
export interface ReplayCounts {
  /** Events of the range looked at so far. */
  readonly examined: number
  /** Events that became deliveries. */
  readonly matched: number
  readonly delivered: number
  readonly discarded: number
  readonly expired: number
  readonly dead: number
  readonly lost: number
  readonly open: number
  readonly attempts: number
  readonly retries: number
}

/** One replay: what it delivers and how far it is. */
export interface ReplayStatus {
  readonly id: string
  readonly subscription: string
  readonly state: ReplayState
  readonly reason?: string | undefined
  readonly from: Sequence
  readonly to: Sequence
  /** Events of the range that retention had removed before it began. */
  readonly removed: number
  readonly match?: readonly string[] | undefined
  readonly source?: readonly string[] | undefined
  readonly subject?: readonly string[] | undefined
  readonly rate: string
  readonly ttl: ReplayTtl
  /** RFC 3339. */
  readonly createdAt: string
  readonly endedAt?: string | undefined
  /** Events of the range. */
  readonly total: number
  readonly counts: ReplayCounts
  /** Deliveries settled each second, lately; absent when nothing moves. */
  readonly perSecond?: number | undefined
  readonly etaSeconds?: number | undefined
}

/** The replays of one subscription that have not ended. */
export interface ReplayStanding {
  readonly running: number
  readonly paused: number
  readonly failed: number
  /** Events of their ranges that are not examined, or have open deliveries. */
  readonly remaining: number
}

/** Replays: deliveries made again, as jobs that are stored and go on after a restart. */
export interface ReplayDesk {
  /**
   * Delivers a range of the log again to a subscription, in a lane and a ledger of its own. Each delivery carries the
   * replay's id: in the message id, and as the event's extension `replayid`. Resolves when the job is stored.
   *
   * @example
   * const { id } = await pipeline.replay('crm', { from: '2026-01-31T12:00:00Z', match: ['order.*'] })
   */
  replay(subscription: string, options: ReplayOptions): Promise<ReplayStatus>
  /** What the same call of `replay` would deliver: counted by the same rules, and nothing is done. */
  dryRunReplay(subscription: string, options: ReplayOptions, signal?: AbortSignal): Promise<ReplayDryRun>
  /** Replays of one subscription or of all, the newest first; those that ended are remembered for a while. */
  replays(subscription?: string): Promise<readonly ReplayStatus[]>
  /** One of them; throws `not-found`. */
  replayStatus(subscription: string, id: string): Promise<ReplayStatus>
  /** Cancelling also forgets its dead letters. Throws `state-conflict` when it has ended. */
  controlReplay(subscription: string, id: string, action: ReplayAction): Promise<ReplayStatus>
}
