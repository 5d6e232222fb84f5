import type { Sequence } from '../../../core/event.ts'
import type { Hash128 } from './sip-hash.ts'

/** Room after the last home slot, so that probing never wraps round. At half load the longest run seen is below 100. */
const pad = 8192

/** Takes keys, the four words of the hash apart. */
export interface KeySink {
  add(a: number, b: number, c: number, d: number, sequence: Sequence): void
}

/**
 * Recent keys: open addressing over typed arrays (24 bytes a slot, no object per key). The home slot is the top bits of the
 * hash and probing goes up only, so slots in order hold keys nearly in order: a table is sorted by sorting each run of
 * neighbours, which lets it be written out as a sorted run a slice at a time.
 *
 * A class and no closures: one table follows another, and code that is made for the variables of one is thrown away with it.
 */
export class KeyTable {
  readonly capacity: number
  count = 0
  readonly #shift: number
  readonly #slots: number
  readonly #words: Uint32Array
  readonly #sequences: Float64Array
  /** Slots of the neighbours that are being sorted. */
  #order = new Int32Array(256)

  /** @param capacity A power of two: how many keys it holds, in twice as many slots. */
  constructor(capacity: number) {
    const bits = Math.log2(capacity) + 1
    this.capacity = capacity
    this.#shift = 32 - bits
    this.#slots = 2 ** bits + pad
    this.#words = new Uint32Array(this.#slots * 4)
    this.#sequences = new Float64Array(this.#slots)
  }

  get isFull(): boolean {
    return this.count >= this.capacity
  }

  add(hash: Hash128, sequence: Sequence): void {
    const words = this.#words
    const sequences = this.#sequences
    let slot = (hash[0] as number) >>> this.#shift
    while (sequences[slot] !== 0) slot++
    sequences[slot] = sequence
    const at = slot * 4
    words[at] = hash[0] as number
    words[at + 1] = hash[1] as number
    words[at + 2] = hash[2] as number
    words[at + 3] = hash[3] as number
    this.count++
  }

  /** The sequence of a key, greater than `after`; 0 when there is none. */
  find(hash: Hash128, after: Sequence): Sequence {
    const words = this.#words
    const sequences = this.#sequences
    const a = hash[0] as number
    let slot = a >>> this.#shift
    for (; sequences[slot] !== 0; slot++) {
      const at = slot * 4
      if (words[at] === a && words[at + 1] === hash[1] && words[at + 2] === hash[2] && words[at + 3] === hash[3]) {
        const sequence = sequences[slot] as number
        if (sequence > after) return sequence
      }
    }
    return 0
  }

  /** Gives away the keys of the runs of neighbours from a slot on, in order of hash; answers the slot to go on from, or -1 at the end. */
  visitSorted(fromSlot: number, leastKeys: number, sink: KeySink): number {
    const words = this.#words
    const sequences = this.#sequences
    let slot = fromSlot
    for (let visited = 0; visited < leastKeys; ) {
      while (slot < this.#slots && sequences[slot] === 0) slot++
      if (slot === this.#slots) return -1
      const length = this.#sortRun(slot)
      const order = this.#order
      for (let place = 0; place < length; place++) {
        const from = order[place] as number
        const at = from * 4
        sink.add(
          words[at] as number,
          words[at + 1] as number,
          words[at + 2] as number,
          words[at + 3] as number,
          sequences[from] as number,
        )
      }
      slot += length
      visited += length
    }
    return slot
  }

  /** Sorts the slots of a run of neighbours; answers how many. By insertion: they are few and nearly in order. */
  #sortRun(first: number): number {
    let length = 0
    for (let slot = first; slot < this.#slots && this.#sequences[slot] !== 0; slot++) {
      if (length === this.#order.length) this.#order = twice(this.#order)
      const order = this.#order
      let place = length++
      for (; place > 0 && this.#isAfter(order[place - 1] as number, slot); place--)
        order[place] = order[place - 1] as number
      order[place] = slot
    }
    return length
  }

  #isAfter(x: number, y: number): boolean {
    const words = this.#words
    for (let index = 0; index < 4; index++) {
      const [left, right] = [words[x * 4 + index] as number, words[y * 4 + index] as number]
      if (left !== right) return left > right
    }
    return false
  }
}

function twice(order: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * order.length)
  larger.set(order)
  return larger
}
