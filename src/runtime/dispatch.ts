import { messageOf } from '../core/errors.ts'
import type { Event, Sequence } from '../core/event.ts'
import { createMatchIndex } from '../core/match.ts'
import type { Log, Platform } from '../core/platform.ts'
import type { Store } from '../plugin/store.ts'
import type { Lane } from './lane.ts'

/** Events examined before other work gets a turn. */
const slice = 1024

/** Lanes that read the log together from one position. */
class Group {
  position: Sequence
  readonly isFront: boolean
  readonly lanes = new Set<Lane>()
  readonly index = createMatchIndex<Lane>()
  isScanning = false
  /** Its last read of the log failed. */
  hasFailed = false

  constructor(position: Sequence, isFront: boolean) {
    this.position = position
    this.isFront = isFront
  }

  add(lane: Lane): void {
    this.lanes.add(lane)
    this.index.add(lane, lane.policy.match, lane.policy.from)
    lane.travel = () => this
  }

  /** The lane stays behind at this position. */
  remove(lane: Lane, at: Sequence): void {
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
  /** Before the start nothing is examined: the frontier must not pass lanes that are not there yet. */
  #isStopped = true
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

  /** A lane begins, or begins again, at its own position. */
  join(lane: Lane): void {
    this.#detach(lane)
    const { position } = lane
    const group = [...this.#groups].find((other) => other.position === position) ?? this.#open(position)
    group.add(lane)
    lane.touch()
    this.#scan(group)
  }

  /** A lane stops reading (paused, halted, dropped). */
  leave(lane: Lane): void {
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

  #detach(lane: Lane): void {
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
    while (!this.#isStopped && this.#groups.has(group) && group.position < this.#store.head()) {
      const events = await this.#store.read(group.position, slice)
      group.hasFailed = false
      if (events.length === 0 || this.#isStopped) return
      this.#examine(group, events)
      if (group.isFront) this.#onFrontier()
      else {
        for (const lane of group.lanes) lane.touch()
        if (this.#merge(group)) return
      }
      await new Promise<void>((resolve) => this.#platform.soon(resolve))
    }
  }

  #examine(group: Group, events: readonly Event[]): void {
    const touched = new Set<Lane>()
    for (const event of events) {
      // A gap is what forced retention removed; lanes that were behind it have counted it as lost.
      group.position = event.sequence - 1
      for (const lane of group.index.lookup(event.source, event.type)) {
        if (lane.accept(event)) touched.add(lane)
        else this.#leaveBehind(group, lane, event.sequence - 1)
      }
    }
    group.position = events.at(-1)!.sequence
    for (const lane of touched) lane.pump()
  }

  /** The lane has no room for this event: it stays before it and is called when there is. */
  #leaveBehind(group: Group, lane: Lane, at: Sequence): void {
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
