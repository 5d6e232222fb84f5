import { AppError } from '../core/errors.ts'
import type { LedgerRecord } from '../core/ledger-state.ts'
import { type Alarm, alarm } from './alarm.ts'
import { abortAttempts, attemptsEnd, closePlugins, stopTimers } from './closing.ts'
import type { Dispatch } from './dispatch.ts'
import type { Lane } from './lane.ts'
import type { LaneSurroundings } from './lane-setup.ts'
import { makeLane } from './make-lane.ts'
import { newLedger, startAt } from './open-ledgers.ts'
import { recover } from './recovery.ts'
import type { SubscriptionSpec } from './setup.ts'

/** What lanes share, and what is needed to add one while the pipeline runs. */
export interface LanesSetup {
  readonly around: LaneSurroundings
  readonly dispatch: () => Dispatch
  readonly signal: AbortSignal
  /** Called before a subscription goes, and after one has come. */
  readonly onLeave?: (name: string) => Promise<void>
  readonly onCome?: (name: string) => Promise<void>
}

/** How long a removal waits for attempts that ignore their abort. */
const removeMs = 10_000

interface Halted {
  readonly lanes: readonly Lane[]
  readonly end: Alarm
}

/** The subscriptions at work, by name; they may come and go while the pipeline runs. */
export class Lanes {
  readonly #setup: LanesSetup
  readonly #lanes = new Map<string, Lane>()
  readonly #records = new Map<string, LedgerRecord>()
  readonly #specs = new Map<string, SubscriptionSpec>()

  constructor(setup: LanesSetup) {
    this.#setup = setup
  }

  keys(): IterableIterator<string> {
    return this.#lanes.keys()
  }

  values(): IterableIterator<Lane> {
    return this.#lanes.values()
  }

  get(name: string): Lane | undefined {
    return this.#lanes.get(name)
  }

  has(name: string): boolean {
    return this.#lanes.has(name)
  }

  /** The ledger as it was when the lane was made. */
  record(name: string): LedgerRecord {
    return this.#records.get(name)!
  }

  /** Those of subscriptions: all but the lanes of replays and rebuilds. */
  subscriptions(): Lane[] {
    return [...this.#lanes.values()].filter(({ setup }) => !isBeside(setup))
  }

  /** What the lane of this name was made of. */
  spec(name: string): SubscriptionSpec | undefined {
    return this.#specs.get(name)
  }

  /** Makes a lane on a ledger that is already open; nothing of it runs yet. */
  async make(spec: SubscriptionSpec, record: LedgerRecord, frontier: number): Promise<Lane> {
    const { around, signal } = this.#setup
    const lane = await makeLane(spec, record, frontier, signal, around)
    this.#lanes.set(lane.name, lane)
    this.#records.set(lane.name, record)
    this.#specs.set(lane.name, spec)
    if (spec.runsUserCode) around.quarantine.know(lane)
    return lane
  }

  /** Opens what a lane sends with; throws what it throws. */
  async open(lane: Lane): Promise<void> {
    const { sink, stages, context } = lane.setup
    await sink?.open?.(context)
    for (const { stage } of stages) await stage.open?.(context)
  }

  /** Adds a subscription to a running pipeline: it goes on from its ledger, or begins where its policy says. */
  async add(spec: SubscriptionSpec): Promise<Lane> {
    const { onCome } = this.#setup
    const lane = await this.prepare(spec)
    const { name } = lane
    try {
      await this.open(lane)
      await recover(lane, this.record(name), false)
    } catch (error) {
      this.#forget(lane)
      throw error
    }
    this.#begin(lane)
    if (!isBeside(spec)) await onCome?.(name)
    return lane
  }

  /** As `add` in a pipeline that has not started: it takes the ledger, and the start does the rest. */
  async prepare(spec: SubscriptionSpec): Promise<Lane> {
    const { around, dispatch } = this.#setup
    const { name } = spec.policy
    if (this.#lanes.has(name))
      throw new AppError('state-conflict', `adding subscription ${name} failed: there is one of this name`)
    const initial = newLedger(await startAt(around.store, spec.policy), spec.isPaused, spec.foldVersion)
    const record = await around.store.openLedger(name, 0, around.platform.id(), initial)
    return this.make(spec, record, dispatch().frontier)
  }

  /**
   * Takes a subscription out of a running pipeline: attempts under way may end within `graceMs` and are then aborted, its
   * ledger is written and stays in the store. Answers when nothing of it runs any more.
   */
  async remove(name: string, graceMs = 0): Promise<void> {
    const lane = this.#lanes.get(name)
    if (lane === undefined) return
    const { onLeave } = this.#setup
    if (!isBeside(lane.setup)) await onLeave?.(name)
    this.#forget(lane)
    await this.#close(await this.#halt([lane], graceMs))
  }

  /**
   * Halts two lanes while `take` gives the ledger of the second the name of the first, which then goes on from there. Until
   * its new lane is ready, the name has the old one.
   */
  async replace(name: string, by: string, take: () => Promise<LedgerRecord>): Promise<Lane> {
    const { around, dispatch } = this.#setup
    const [old, other] = [this.#lanes.get(name)!, this.#lanes.get(by)!]
    const spec = this.#specs.get(name)!
    const halted = await this.#halt([old, other], 0)
    const record = await take()
    this.#forget(other)
    around.quarantine.forget(old)
    const lane = await this.make(spec, record, dispatch().frontier)
    await this.open(lane)
    await recover(lane, record, false)
    if (old.ledger.state === 'paused') {
      lane.ledger.setState('paused', old.ledger.reason)
      around.settler().touch(lane)
    }
    this.#begin(lane)
    await this.#close(halted)
    return lane
  }

  #begin(lane: Lane): void {
    if (lane.ledger.state !== 'running') return
    this.#setup.around.onRoom(lane)
    lane.nudge()
  }

  /** Nothing of the lanes runs any more, and their ledgers are written. */
  async #halt(lanes: readonly Lane[], graceMs: number): Promise<Halted> {
    const { around, dispatch } = this.#setup
    for (const lane of lanes) {
      dispatch().leave(lane)
      lane.isStopping = true
      lane.pull?.stop()
    }
    const grace = alarm(around.platform, graceMs)
    await attemptsEnd(around.platform, grace, () => lanes)
    grace.cancel()
    for (const lane of lanes) abortAttempts(lane, new Error('the subscription was removed'))
    const end = alarm(around.platform, removeMs)
    await attemptsEnd(around.platform, end, () => lanes)
    for (const lane of lanes) await stopTimers(lane, end)
    await around.settler().flush()
    for (const lane of lanes) lane.isGone = true
    return { lanes, end }
  }

  async #close({ lanes, end }: Halted): Promise<void> {
    await closePlugins(this.#setup.around.log, end, [], lanes)
    end.cancel()
  }

  #forget(lane: Lane): void {
    for (const known of [this.#lanes, this.#records, this.#specs]) known.delete(lane.name)
    this.#setup.around.quarantine.forget(lane)
  }
}

/** True for a lane beside that of a subscription: of a replay, or of a rebuild. */
function isBeside({ replay, rebuildOf }: Pick<SubscriptionSpec, 'replay' | 'rebuildOf'>): boolean {
  return replay !== undefined || rebuildOf !== undefined
}
