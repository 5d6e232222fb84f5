import { messageOf } from '../core/errors.ts'
import type { Sequence } from '../core/event.ts'
import type { Log } from '../core/platform.ts'
import type { Store } from '../plugin/store.ts'
import type { Flight } from './flight.ts'
import type { Lane } from './lane.ts'

/** Marks are written this far ahead, so that they cost one small write per so many events. */
const markAhead = 4096

/**
 * Contains events that kill the process. Before user code runs on a window of events, the window's end is marked in the
 * store. After an unclean end, deliveries up to the mark are suspects: they run one at a time over the whole process,
 * each named in the mark while it runs. A process death then counts against that one; the second makes it dead.
 */
export class Quarantine {
  readonly #store: Store
  readonly #log: Log
  readonly #marked = new Map<Lane, Sequence>()
  readonly #marking = new Set<Lane>()
  /** Lanes with suspects left, and up to which sequence. */
  readonly #suspects = new Map<Lane, Sequence>()
  readonly #lanes = new Set<Lane>()
  #isRunningOne = false

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** At start: what the mark of an unclean end says. */
  suspect(lane: Lane, upTo: Sequence): void {
    this.#suspects.set(lane, upTo)
  }

  /** May the lane start user code now? If not, it is called again when it may. */
  admits(lane: Lane): boolean {
    if (this.#suspects.size > 0) {
      this.#runSuspects()
      return false
    }
    const marked = this.#marked.get(lane) ?? -1
    // In good time, so that nothing waits for it.
    if (marked - lane.examined < markAhead / 2) this.#mark(lane)
    return marked >= lane.examined
  }

  /** An attempt of user code has ended. */
  onEnd(): void {
    if (this.#suspects.size > 0) this.#runSuspects()
  }

  #mark(lane: Lane): void {
    if (this.#marking.has(lane)) return
    this.#marking.add(lane)
    const upTo = lane.examined + markAhead
    this.#store
      .mark(lane.name, 0, lane.epoch, { upTo })
      .then(
        () => this.#marked.set(lane, upTo),
        (error: unknown) => {
          this.#log.error(`marking the window of ${lane.name} failed; it is tried again with the next event`, {
            error: messageOf(error),
          })
        },
      )
      .finally(() => {
        this.#marking.delete(lane)
        if (this.#marked.has(lane)) lane.pump()
        else lane.around.platform.after(1000, () => lane.pump())
      })
  }

  #runSuspects(): void {
    if (this.#isRunningOne) return
    for (const [lane, upTo] of this.#suspects) {
      const flight = lane.isRunning ? nextSuspect(lane, upTo) : undefined
      if (flight !== undefined) {
        this.#isRunningOne = true
        void this.#runAlone(lane, flight, upTo)
        return
      }
      const isDone = lane.active === lane.abandoned.count && lane.examined >= upTo && !lane.due.isLoading
      if (isDone || !lane.isRunning) this.#suspects.delete(lane)
    }
    if (this.#suspects.size === 0) this.#releaseAll()
  }

  async #runAlone(lane: Lane, flight: Flight, upTo: Sequence): Promise<void> {
    try {
      // The ledger must know the delivery before it runs: a death is counted against what is stored.
      await lane.around.settler().flush()
      await this.#store.mark(lane.name, 0, lane.epoch, { upTo, solo: flight.sequence })
      await lane.runAlone(flight)
      await lane.around.settler().flush()
      await this.#store.mark(lane.name, 0, lane.epoch, { upTo })
    } catch (error) {
      this.#log.error(`marking a delivery of ${lane.name} that runs alone failed`, { error: messageOf(error) })
    } finally {
      this.#isRunningOne = false
      this.#runSuspects()
      // It may have room for more of the log, and a stage that answered at once has told nobody.
      lane.pump()
    }
  }

  /** No suspects are left: user code runs as usual again. */
  #releaseAll(): void {
    for (const lane of this.#lanes) lane.around.platform.soon(() => lane.pump())
  }

  /** The lane is taken out: nothing of it waits here any more. */
  forget(lane: Lane): void {
    this.#lanes.delete(lane)
    this.#marked.delete(lane)
    if (this.#suspects.delete(lane) && this.#suspects.size === 0) this.#releaseAll()
  }

  /** A lane that runs user code. */
  know(lane: Lane): void {
    this.#lanes.add(lane)
  }
}

/** Takes the next one that is ready and no call that ignores its abort has the key of. */
function nextSuspect({ ready, abandoned }: Lane, upTo: Sequence): Flight | undefined {
  for (let flight = ready.peek(); flight !== undefined && flight.sequence <= upTo; flight = ready.peek()) {
    ready.shift()
    if (!abandoned.holds(flight)) return flight
  }
  return undefined
}
