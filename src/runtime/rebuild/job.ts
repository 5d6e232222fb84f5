import { timeText } from '../../core/event.ts'
import type { Lane } from '../lane.ts'
import { Speed } from '../replay/speed.ts'
import type { RebuildState, RebuildStatus } from './face.ts'

/** How far behind the head it may be to take over: what comes meanwhile is worked off in the moment of the switch. */
const nearlyThere = 1024

/** A rebuild in memory: its lane, and how it ended. */
export class Job {
  readonly subscription: string
  readonly lane: Lane
  phase: Exclude<RebuildState, 'stuck'> = 'building'
  /** It takes its place although something of it is not as it should be. */
  isForced = false
  readonly #speed = new Speed()

  constructor(subscription: string, lane: Lane) {
    this.subscription = subscription
    this.lane = lane
  }

  /** Nothing keeps it from taking over but what has come in the last moment. */
  isReady(head: number): boolean {
    if (this.phase !== 'building' || !this.lane.isRunning || head - this.lane.examined > nearlyThere) return false
    return this.isForced || (this.#problem === undefined && this.lane.ledger.openRows === 0)
  }

  /** Everything up to a sequence is settled in it. */
  hasSettled(sequence: number): boolean {
    const { ledger, examined } = this.lane
    if (this.isForced) return examined >= sequence
    return ledger.openRows === 0 && ledger.floor(examined) >= sequence
  }

  look(nowMs: number): void {
    const { examined, ledger } = this.lane
    this.#speed.add(nowMs, { settled: ledger.counters.delivered, examined })
  }

  end(state: 'done' | 'cancelled', head: number, wallMs: number): RebuildStatus {
    this.phase = state
    return { ...this.status(head), endedAt: timeText(wallMs) }
  }

  status(head: number): RebuildStatus {
    const { ledger, examined } = this.lane
    const reason = this.phase === 'building' ? this.#problem : undefined
    return {
      subscription: this.subscription,
      state: reason === undefined ? this.phase : 'stuck',
      reason,
      version: ledger.foldVersion ?? '',
      from: ledger.start + 1,
      examined,
      head,
      delivered: ledger.counters.delivered,
      open: ledger.open,
      dead: ledger.deadRows,
      lost: ledger.counters.lost,
      perSecond: this.#speed.examinedPerSecond,
      etaSeconds: this.#speed.secondsFor(head - examined),
    }
  }

  get #problem(): string | undefined {
    const { ledger, name } = this.lane
    if (this.isForced) return undefined
    if (ledger.state !== 'running') return `it is ${ledger.state}: resume ${name}`
    if (ledger.deadRows > 0)
      return `${ledger.deadRows} events could not be folded and are dead letters of ${name}: redrive or discard them, cancel the rebuild and mend the code, or finish it as it is`
    if (ledger.counters.lost > 0)
      return `forced retention removed ${ledger.counters.lost} events before they were read: cancel the rebuild, or finish it as it is`
    return undefined
  }
}
