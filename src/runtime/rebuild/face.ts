import type { Sequence } from '../../core/event.ts'

/**
 * - `building`: the log is folded anew, beside what is served.
 * - `stuck`: it cannot take the place of what is served: the reason says why, and what to do.
 * - `switching`: it is taking the place of what is served.
 * - `done`: it has.
 * - `cancelled`: it was ended by hand, and what it had built is forgotten.
 */
export const rebuildStates = ['building', 'stuck', 'switching', 'done', 'cancelled'] as const
export type RebuildState = (typeof rebuildStates)[number]

/** The rebuild of what a subscription keeps: how far it is, or how the last one of this process ended. */
export interface RebuildStatus {
  readonly subscription: string
  readonly state: RebuildState
  readonly reason?: string | undefined
  /** Of the code that folds, and of what it reads. */
  readonly version: string
  /** The first event that it reads. */
  readonly from: Sequence
  /** The last event that it has looked at. */
  readonly examined: Sequence
  /** The newest event. */
  readonly head: Sequence
  /** Events folded. */
  readonly delivered: number
  /** Deliveries not settled, dead letters, and events that were removed before they were read. */
  readonly open: number
  readonly dead: number
  readonly lost: number
  /** Events looked at each second, lately; absent when nothing moves. */
  readonly perSecond?: number | undefined
  readonly etaSeconds?: number | undefined
  /** RFC 3339. */
  readonly endedAt?: string | undefined
}

export interface RebuildOptions {
  /** True: also where the log no longer has what the state began with; then another state comes of it. */
  readonly force?: boolean | undefined
}

/** What may be done with a rebuild: forget it, or let it take its place although it is stuck. */
export const rebuildActions = ['cancel', 'finish'] as const
export type RebuildAction = (typeof rebuildActions)[number]

/** Rebuilds: what a subscription keeps, made again from the log. */
export interface RebuildDesk {
  /**
   * Builds what a subscription keeps again from the beginning of the log, in a lane and a ledger of its own, while the
   * subscription goes on and is read. When it has caught up it takes the place of what is served, in one step. It goes on
   * after a restart. Resolves when it has begun. Throws `state-conflict` for a subscription whose state does not follow from
   * the log alone (only projections can be rebuilt), and where retention has removed what the state began with.
   *
   * @example
   * await pipeline.rebuild('balances')
   */
  rebuild(subscription: string, options?: RebuildOptions): Promise<RebuildStatus>
  /** The rebuild under way, or the last one since the start; undefined when there was none. */
  rebuildStatus(subscription: string): RebuildStatus | undefined
  /** Resolves when none is under way any more, or it is stuck: with how it stands; at once when there was none. */
  rebuilt(subscription: string): Promise<RebuildStatus | undefined>
  /** Throws `state-conflict` when there is none under way. */
  controlRebuild(subscription: string, action: RebuildAction): Promise<RebuildStatus>
}
