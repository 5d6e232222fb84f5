import type { Sequence } from '../core/event.ts'
import type { Durability } from '../plugin/store.ts'
import type { SubscriptionStatus } from './api.ts'
import type { ReplayStanding } from './replay/face.ts'

/** What a pipeline has counted since the start, and where its subscriptions stand. */
export interface PipelineStats {
  readonly head: Sequence
  readonly durability: Durability
  readonly uptimeSeconds: number
  readonly published: {
    readonly stored: number
    readonly duplicate: number
    readonly conflict: number
    readonly refused: number
    /** Events that did not fit the schema of their type and were kept aside. */
    readonly quarantined: number
    /** Events stored although they did not fit. */
    readonly warned: number
    /** Events with more data than `limits.warnSize`. */
    readonly large: number
  }
  /** Calls of `emit`; those that no best-effort subscription wanted, and those that were no valid event. */
  readonly emitted: { readonly emitted: number; readonly unwanted: number; readonly invalid: number }
  readonly sources: Readonly<
    Record<
      string,
      {
        readonly stored: number
        readonly duplicate: number
        readonly conflict: number
        readonly refused: number
        readonly quarantined: number
        readonly restarts: number
        readonly state: string
        readonly error?: string | undefined
      }
    >
  >
  readonly subscriptions: Readonly<Record<string, SubscriptionStatus>>
  /** Replays that have not ended, by subscription. */
  readonly replays: Readonly<Record<string, ReplayStanding>>
  /** A table for people. */
  toString(): string
}
