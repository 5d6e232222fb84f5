import type { Hash128 } from './sip-hash.ts'

/** Room after the last home slot, so that probing never wraps round. At half load the longest run seen is below 100. */
const pad = 8192

/**
 * Recent keys: open addressing over typed arrays (24 bytes a slot, no object per key). The home slot is the top bits of the
 * hash and probing goes up only, so slots in order hold keys nearly in order: a table is sorted by sorting each run of
 * neighbours, which lets it be written out as a sorted run a slice at a time.
 */
export interface KeyTable {
  readonly capacity: number
  count(): number
  isFull(): boolean
  add(hash: Hash128, sequence: number): void
  /** The sequence of a key, greater than `after`; 0 when there is none. */
  find(hash: Hash128, after: number): number
  /** Visits the keys of the run of neighbours at or after a slot, in order of hash; answers the slot to go on from, or -1 at the end. */
  visitSorted(
    fromSlot: number,
    leastKeys: number,
    visit: (a: number, b: number, c: number, d: number, sequence: number) => void,
  ): number
}

/** @param capacity A power of two: how many keys it holds, in twice as many slots. */
export function createKeyTable(capacity: number): KeyTable {
  const bits = Math.log2(capacity) + 1
  const shift = 32 - bits
  const slots = 2 ** bits + pad
  const words = new Uint32Array(slots * 4)
  const sequences = new Float64Array(slots)
  let count = 0

  /** Slots of the neighbours that are being sorted. */
  let order = new Int32Array(256)

  const isAfter = (x: number, y: number): boolean => {
    for (let index = 0; index < 4; index++) {
      const difference = (words[x * 4 + index] as number) - (words[y * 4 + index] as number)
      if (difference !== 0) return difference > 0
    }
    return false
  }

  /** Sorts the slots of a run of neighbours into `order`; answers how many. By insertion: they are few and nearly in order. */
  const sortRun = (first: number): number => {
    let length = 0
    for (let slot = first; slot < slots && sequences[slot] !== 0; slot++) {
      if (length === order.length) {
        const larger = new Int32Array(2 * length)
        larger.set(order)
        order = larger
      }
      let place = length++
      for (; place > 0 && isAfter(order[place - 1] as number, slot); place--) order[place] = order[place - 1] as number
      order[place] = slot
    }
    return length
  }

  return {
    capacity,
    count: () => count,
    isFull: () => count >= capacity,
    add(hash, sequence) {
      let slot = (hash[0] as number) >>> shift
      while (sequences[slot] !== 0) slot++
      sequences[slot] = sequence
      const at = slot * 4
      words[at] = hash[0] as number
      words[at + 1] = hash[1] as number
      words[at + 2] = hash[2] as number
      words[at + 3] = hash[3] as number
      count++
    },
    find(hash, after) {
      const a = hash[0] as number
      let slot = a >>> shift
      for (; sequences[slot] !== 0; slot++) {
        const at = slot * 4
        if (words[at] === a && words[at + 1] === hash[1] && words[at + 2] === hash[2] && words[at + 3] === hash[3]) {
          const sequence = sequences[slot] as number
          if (sequence > after) return sequence
        }
      }
      return 0
    },
    visitSorted(fromSlot, leastKeys, visit) {
      let slot = fromSlot
      let visited = 0
      while (slot < slots) {
        while (slot < slots && sequences[slot] === 0) slot++
        const length = sortRun(slot)
        for (let place = 0; place < length; place++) {
          const at = order[place] as number
          const base = at * 4
          visit(
            words[base] as number,
            words[base + 1] as number,
            words[base + 2] as number,
            words[base + 3] as number,
            sequences[at] as number,
          )
        }
        slot += length
        visited += length
        if (visited >= leastKeys) return slot
      }
      return -1
    },
  }
}
