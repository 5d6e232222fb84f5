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
  #isRunningOne = false

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** At start: what the mark of an unclean end says. */
  suspect(lane: Lane, upTo: Sequence): void {
    this.#suspects.set(lane, upTo)
  }

  get hasSuspects(): boolean {
    return this.#suspects.size > 0
  }

  /** May the lane start user code now? If not, it is called again when it may. */
  admits(lane: Lane): boolean {
    if (this.#suspects.size > 0) {
      this.#runSuspects()
      return false
    }
    if ((this.#marked.get(lane) ?? -1) >= this.#highest(lane)) return true
    this.#mark(lane)
    return false
  }

  onEnd(_lane: Lane): void {
    if (this.#suspects.size > 0) this.#runSuspects()
  }

  #highest(lane: Lane): Sequence {
    return lane.examined
  }

  #mark(lane: Lane): void {
    if (this.#marking.has(lane)) return
    this.#marking.add(lane)
    const upTo = this.#highest(lane) + markAhead
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
      const flight = lane.ready.peek()
      if (flight !== undefined && lane.isRunning) {
        this.#isRunningOne = true
        lane.ready.shift()
        void this.#runOne(lane, flight, upTo).finally(() => {
          this.#isRunningOne = false
          this.#next()
        })
        return
      }
      if (
        !lane.isRunning ||
        (lane.isIdle && lane.examined >= Math.min(upTo, this.#store.head()) && !lane.due.isLoading)
      ) {
        this.#suspects.delete(lane)
      }
    }
  }

  async #runOne(lane: Lane, flight: Flight, upTo: Sequence): Promise<void> {
    // The ledger must know the delivery before it runs: a death is counted against what is stored.
    await lane.around.settler().flush()
    await this.#store.mark(lane.name, 0, lane.epoch, { upTo, solo: flight.sequence })
    await lane.runAlone(flight)
    await lane.around.settler().flush()
    await this.#store.mark(lane.name, 0, lane.epoch, { upTo })
  }

  #next(): void {
    this.#runSuspects()
    if (this.#suspects.size === 0) for (const lane of this.#lanes) lane.pump()
  }

  readonly #lanes = new Set<Lane>()

  /** Every lane that runs user code. */
  know(lane: Lane): void {
    this.#lanes.add(lane)
  }

  forget(lane: Lane): void {
    this.#lanes.delete(lane)
    this.#suspects.delete(lane)
    this.#marked.delete(lane)
  }
}
