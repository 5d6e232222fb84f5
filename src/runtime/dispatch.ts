import { messageOf } from '../core/errors.ts'
import type { Event, Sequence } from '../core/event.ts'
import type { Where } from '../core/plan.ts'
import type { Log, Platform } from '../core/platform.ts'
import { createReaderIndex, valueAt } from '../core/reader-index.ts'
import type { Store } from '../plugin/store.ts'

/** Events examined in one piece. */
const slice = 1024
/** A front further behind the head than this goes first: a quarter of what the SQLite store keeps in memory. */
const behind = 4096
/** So long, in milliseconds, pieces are examined before other work gets a turn. */
const turnMs = 8

/** Somebody who reads the log in order: a lane, or a best-effort subscription. */
export interface Reader {
  readonly name: string
  readonly policy: {
    readonly match: readonly string[]
    readonly from: readonly string[] | undefined
    readonly where?: Where | undefined
  }
  /** The last sequence it has decided on while it is in no group. */
  position: Sequence
  /** Answers the position of the group it travels with. */
  travel: () => { readonly position: Sequence; readonly isFront: boolean }
  /** Takes a matching event, or answers false: then it is offered again when the reader joins again. */
  accept(event: Event): boolean
  /** How many events it would take now; asked before the log is read for it. With 0 it stays behind. */
  room(): number
  /** Events were accepted: work may begin. */
  pump(): void
  /** Its position changed. */
  touch(): void
}

/** Readers that read the log together from one position. */
class Group {
  position: Sequence
  readonly isFront: boolean
  readonly lanes = new Set<Reader>()
  readonly index = createReaderIndex<Reader>()
  isScanning = false
  /** How far it reads at once: as much as there is room for, and more while little of it matches. */
  reach = 0
  /** Its last read of the log failed. */
  hasFailed = false

  constructor(position: Sequence, isFront: boolean) {
    this.position = position
    this.isFront = isFront
  }

  add(lane: Reader): void {
    this.lanes.add(lane)
    const { match, from, where } = lane.policy
    this.index.add(lane, { match, from, only: where?.only })
    lane.travel = () => this
  }

  /** The lane stays behind at this position. */
  remove(lane: Reader, at: Sequence): void {
    this.lanes.delete(lane)
    this.index.remove(lane)
    lane.position = at
    lane.travel = () => ({ position: lane.position, isFront: false })
  }
}

/**
 * Moves lanes along the log. Those that keep up travel in the front group, whose position is the stored frontier: one
 * look-up by (source, type) finds an event's lanes. A lane without room drops out where it is; when it has room again it
 * goes on in a group of its own, groups that meet travel together, and at the head they join the front.
 */
export class Dispatch {
  readonly #store: Store
  readonly #platform: Platform
  readonly #log: Log
  readonly #front: Group
  readonly #groups = new Set<Group>()
  readonly #onFrontier: () => void
  readonly #listeners = new Set<() => void>()
  /** Before the start nothing is examined: the frontier must not pass lanes that are not there yet. */
  #isStopped = true
  #turn: Promise<void> | undefined
  #turnBegan = Number.NEGATIVE_INFINITY
  restarts = 0
  lastError: string | undefined

  constructor(store: Store, platform: Platform, log: Log, frontier: Sequence, onFrontier: () => void) {
    this.#store = store
    this.#platform = platform
    this.#log = log
    this.#front = new Group(frontier, true)
    this.#groups.add(this.#front)
    this.#onFrontier = onFrontier
  }

  get frontier(): Sequence {
    return this.#front.position
  }

  /** True when the front is so far behind that it soon reads from the disk. */
  get isBehind(): boolean {
    return !this.#isStopped && this.#front.lanes.size > 0 && this.#store.head() - this.#front.position > behind
  }

  /** True when every running lane has examined everything. */
  get isCaughtUp(): boolean {
    const head = this.#store.head()
    return (
      [...this.#groups].every((group) => group.lanes.size === 0 || group.position >= head) &&
      this.#front.position >= head
    )
  }

  /** Some of the log cannot be read: who waits for it gets nothing. */
  get isFailing(): boolean {
    return [...this.#groups].some(({ hasFailed }) => hasFailed)
  }

  /** Tells after each piece of the log that was examined, until the answer is called. */
  onMoved(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A lane begins, or begins again, at its own position. */
  join(lane: Reader): void {
    this.#detach(lane)
    const { position } = lane
    const group = [...this.#groups].find((other) => other.position === position) ?? this.#open(position)
    group.add(lane)
    lane.touch()
    this.#scan(group)
  }

  /** A lane stops reading (paused, halted, dropped). */
  leave(lane: Reader): void {
    this.#detach(lane)
  }

  /** Every lane that runs has joined. */
  start(): void {
    this.#isStopped = false
    this.wake()
  }

  /** The log has grown. */
  wake(): void {
    for (const group of this.#groups) this.#scan(group)
  }

  stop(): void {
    this.#isStopped = true
  }

  #detach(lane: Reader): void {
    for (const group of this.#groups) {
      if (!group.lanes.has(lane)) continue
      group.remove(lane, group.position)
      this.#closeEmpty(group)
      lane.touch()
    }
  }

  #open(position: Sequence): Group {
    const group = new Group(position, false)
    this.#groups.add(group)
    return group
  }

  #closeEmpty(group: Group): void {
    if (group.lanes.size === 0 && !group.isFront) this.#groups.delete(group)
  }

  #scan(group: Group): void {
    if (group.isScanning || this.#isStopped || group.position >= this.#store.head()) return
    group.isScanning = true
    this.#run(group).then(
      () => {
        group.isScanning = false
      },
      (error: unknown) => {
        group.isScanning = false
        group.hasFailed = true
        this.restarts += 1
        this.lastError = messageOf(error)
        this.#log.error('reading the log for delivery failed; it starts again', { error: this.lastError })
        this.#platform.after(1000, () => this.#scan(group))
      },
    )
  }

  async #run(group: Group): Promise<void> {
    if (group.isFront && group.lanes.size === 0) {
      group.position = this.#store.head()
      this.#moved(group)
      return
    }
    while (!this.#isStopped && this.#groups.has(group) && group.position < this.#store.head()) {
      const limit = group.isFront ? slice : this.#reachOf(group)
      if (limit === 0) return
      const events = await this.#store.read(group.position, limit)
      group.hasFailed = false
      if (events.length === 0 || this.#isStopped) return
      this.#examine(group, events)
      this.#moved(group)
      if (!group.isFront && this.#merge(group)) return
      // What falls behind the newest events is read from the disk, which costs more than to go on for a moment.
      if (this.#platform.clock.monotonic() - this.#turnBegan > turnMs) await this.#nextTurn()
    }
  }

  #moved(group: Group): void {
    for (const tell of [...this.#listeners]) tell()
    if (group.isFront) this.#onFrontier()
    else for (const lane of group.lanes) lane.touch()
  }

  /** All groups wait together, so that their pieces share a turn's time however many they are. */
  #nextTurn(): Promise<void> {
    this.#turn ??= new Promise((resolve) => {
      this.#platform.soon(() => {
        this.#turn = undefined
        this.#turnBegan = this.#platform.clock.monotonic()
        resolve()
      })
    })
    return this.#turn
  }

  /** What a lagging group reads next. Lanes without room stay behind: events read in vain would be read again. */
  #reachOf(group: Group): number {
    let most = 0
    for (const lane of [...group.lanes]) {
      const room = lane.room()
      if (room === 0) this.#leaveBehind(group, lane, group.position)
      most = Math.max(most, room)
    }
    if (most === 0) return 0
    group.reach = Math.min(slice, Math.max(most, 2 * group.reach))
    return group.reach
  }

  #examine(group: Group, events: readonly Event[]): void {
    const touched = new Set<Reader>()
    for (const event of events) {
      // A gap is what forced retention removed; lanes that were behind it have counted it as lost.
      group.position = event.sequence - 1
      for (const lane of group.index.lookup(event.source, event.type, (path) => valueAt(event, path))) {
        if (lane.accept(event)) touched.add(lane)
        else this.#leaveBehind(group, lane, event.sequence - 1)
      }
    }
    group.position = events.at(-1)!.sequence
    for (const lane of touched) lane.pump()
  }

  /** The lane has no room for this event: it stays before it and is called when there is. */
  #leaveBehind(group: Group, lane: Reader, at: Sequence): void {
    group.remove(lane, at)
    this.#closeEmpty(group)
    lane.touch()
  }

  /** Groups that stand at the same place go on together, also while the other one waits for its next read. */
  #merge(group: Group): boolean {
    const other = [...this.#groups].find((candidate) => candidate !== group && candidate.position === group.position)
    if (other === undefined) return false
    this.#groups.delete(group)
    for (const lane of [...group.lanes]) {
      group.remove(lane, group.position)
      other.add(lane)
      lane.touch()
    }
    this.#scan(other)
    return true
  }
}
