import { timeText } from '../../core/event.ts'
import type { Counters, LedgerRecord, StoredLedgerState } from '../../core/ledger-state.ts'
import { noCounters } from '../../core/ledger-state.ts'
import { replayLedger } from '../../core/replay-name.ts'
import type { Lane } from '../lane.ts'
import type { ReplayCounts, ReplayState, ReplayStatus } from './face.ts'
import { Speed } from './speed.ts'
import type { StoredReplay } from './stored.ts'

/** What a ledger says of a replay, with a lane or without. */
interface Standing {
  readonly examined: number
  readonly counters: Counters
  readonly dead: number
  readonly open: number
}

/** A replay in memory: what is stored of it, and its lane while it has one. */
export class Job {
  stored: StoredReplay
  lane: Lane | undefined
  /** It is being ended: nobody else changes it now. */
  isChanging = false
  #kept: Standing
  readonly #speed = new Speed()

  constructor(stored: StoredReplay) {
    this.stored = stored
    this.#kept = { examined: stored.from - 1, counters: noCounters, dead: 0, open: 0 }
  }

  get ledgerName(): string {
    return replayLedger(this.stored.subscription, this.stored.id)
  }

  /** False again when dead letters of it were put back. */
  get hasEnded(): boolean {
    return this.stored.end !== undefined && !(this.lane !== undefined && this.lane.ledger.open > 0)
  }

  /** Something is left to do, or dead letters may be put back. */
  get needsLane(): boolean {
    const { end } = this.stored
    return end === undefined || (end.state === 'done' && this.#standing.dead + this.#standing.open > 0)
  }

  /** Nothing of it is left to do. */
  get isThrough(): boolean {
    const { lane } = this
    return lane !== undefined && lane.position >= this.stored.to && lane.ledger.open === 0
  }

  get counts(): ReplayCounts {
    const { end, from } = this.stored
    if (this.lane === undefined && end !== undefined) return end.counts
    const { examined, counters, dead, open } = this.#standing
    const { matched, delivered, discarded, expired, lost, attempts, retries } = counters
    return {
      examined: Math.max(0, examined - from + 1),
      ...{ matched, delivered, discarded, expired, dead, lost, open, attempts, retries },
    }
  }

  /** Without a lane it waits for its subscription. */
  get state(): ReplayState {
    if (this.hasEnded) return this.stored.end!.state
    return this.lane === undefined ? 'paused' : replayStateOf(this.lane.ledger.state)
  }

  /** How it stood when it was last at work, by its ledger. */
  keep({ examined, counters, deadRows, openRows, pending }: LedgerRecord): void {
    this.#kept = { examined, counters, dead: deadRows, open: openRows + pending.length }
  }

  /** Its lane goes, and its ledger stays. */
  letGo(): void {
    this.#kept = this.#standing
    this.lane = undefined
    this.#speed.reset()
  }

  /** How fast it goes is seen by looking at it again and again. */
  look(nowMs: number): void {
    const { matched, open, examined } = this.counts
    if (this.state === 'running') this.#speed.add(nowMs, { settled: matched - open, examined: examined - open })
    else this.#speed.reset()
  }

  status(nowMs: number): ReplayStatus {
    this.look(nowMs)
    const { stored, counts, state, hasEnded } = this
    const { createdAt, end, format: _format, ...known } = stored
    const total = stored.to - stored.from + 1
    const isRunning = state === 'running'
    return {
      ...known,
      state,
      reason: hasEnded ? undefined : this.#reason,
      createdAt: timeText(createdAt),
      endedAt: hasEnded ? timeText(end!.at) : undefined,
      total,
      counts,
      perSecond: isRunning ? this.#speed.perSecond : undefined,
      etaSeconds: isRunning ? this.#speed.secondsFor(total - counts.examined + counts.open) : undefined,
    }
  }

  get #standing(): Standing {
    const { lane } = this
    if (lane === undefined) return this.#kept
    const { ledger, position } = lane
    return { examined: position, counters: ledger.counters, dead: ledger.deadRows, open: ledger.open }
  }

  get #reason(): string | undefined {
    if (this.lane !== undefined) return this.lane.ledger.reason
    return 'its subscription is not at work, or is one that cannot be replayed to'
  }
}

/** A halted or disabled lane does not go on by itself. */
export function replayStateOf(state: StoredLedgerState): ReplayState {
  return state === 'halted' || state === 'disabled' ? 'failed' : state
}
