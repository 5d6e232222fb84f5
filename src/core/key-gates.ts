import type { Sequence } from './event.ts'
import type { Batch, Item } from './lease.ts'

interface Gate {
  /** The batch that has events of the key, and how many. */
  holder: Batch | undefined
  held: number
  /** Events that must be done before the key goes on: delayed or dying ones. */
  stops: number
  /** A dead letter that the key is parked behind. */
  parkedBy: Sequence | undefined
  readonly waiting: Item[]
}

const nobody: readonly Item[] = Object.freeze([])

/**
 * Order within a key for batches: events of one key are with one batch at a time, several of them in order. Methods that may
 * open a key answer what waited for it. Without a key everything is always open.
 */
export class KeyGates {
  readonly #gates = new Map<string, Gate>()

  /** Takes the key for a batch, once for each event; false when it is not open to it. */
  enter(key: string | undefined, batch: Batch): boolean {
    if (key === undefined) return true
    const gate = this.#gate(key)
    if (gate.stops > 0 || gate.parkedBy !== undefined || (gate.held > 0 && gate.holder !== batch)) return false
    gate.holder = batch
    gate.held += 1
    return true
  }

  /** As `enter`, for a batch that has the key anyway (at start). */
  hold(key: string | undefined, batch: Batch): void {
    if (key === undefined) return
    const gate = this.#gate(key)
    gate.holder = batch
    gate.held += 1
  }

  leave(key: string | undefined): readonly Item[] {
    if (key === undefined) return nobody
    this.#gate(key).held -= 1
    return this.#opened(key)
  }

  /** The key waits for an event that is not to be had now, until `go`. */
  stop(key: string | undefined): void {
    if (key !== undefined) this.#gate(key).stops += 1
  }

  go(key: string | undefined): readonly Item[] {
    if (key === undefined) return nobody
    this.#gate(key).stops -= 1
    return this.#opened(key)
  }

  park(key: string, behind: Sequence): void {
    this.#gate(key).parkedBy = behind
  }

  /** The dead letter is gone or comes back; another one than the key waits for changes nothing. */
  unpark(key: string, behind: Sequence): readonly Item[] {
    const gate = this.#gates.get(key)
    if (gate?.parkedBy !== behind) return nobody
    gate.parkedBy = undefined
    return this.#opened(key)
  }

  /** Keeps an event until its key opens. */
  wait(key: string, item: Item): void {
    this.#gate(key).waiting.push(item)
  }

  #gate(key: string): Gate {
    let gate = this.#gates.get(key)
    if (gate === undefined) {
      gate = { holder: undefined, held: 0, stops: 0, parkedBy: undefined, waiting: [] }
      this.#gates.set(key, gate)
    }
    return gate
  }

  #opened(key: string): readonly Item[] {
    const { held, stops, parkedBy, waiting } = this.#gate(key)
    if (held > 0 || stops > 0 || parkedBy !== undefined) return nobody
    this.#gates.delete(key)
    return waiting
  }
}
