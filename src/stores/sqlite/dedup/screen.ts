import { mayContain } from './filter.ts'
import type { Run } from './run.ts'
import type { Hash128, PairHash } from './sip-hash.ts'

/**
 * The keys of a group, hashed at once and held against the filters of all runs, one filter after the other. A key by itself
 * waits for memory at every filter; in one loop over many keys these waits overlap: half the time with eight runs.
 */
export class Screen {
  readonly #hash: PairHash
  #hashes = new Uint32Array(4 * 1024)
  #flags = new Uint8Array(1024)

  constructor(hash: PairHash) {
    this.#hash = hash
  }

  /** Takes the pairs of (source, id) that are the first two of each `width` values. Stands until the runs change. */
  fill(values: readonly unknown[], width: number, runs: readonly Run[]): void {
    const count = values.length / width
    if (this.#flags.length < count) {
      this.#hashes = new Uint32Array(8 * count)
      this.#flags = new Uint8Array(2 * count)
    }
    const hashes = this.#hashes
    for (let index = 0; index < count; index++) {
      this.#hash(values[index * width] as string, values[index * width + 1] as string, hashes, 4 * index)
    }
    this.#flags.fill(0, 0, count)
    for (const { filter } of runs) flagThose(this.#flags, count, filter, hashes)
  }

  /** Copies the hash of a pair. */
  read(index: number, into: Hash128): void {
    const at = 4 * index
    into[0] = this.#hashes[at] as number
    into[1] = this.#hashes[at + 1] as number
    into[2] = this.#hashes[at + 2] as number
    into[3] = this.#hashes[at + 3] as number
  }

  /** False when surely no run has the pair. */
  mayBeInRuns(index: number): boolean {
    return this.#flags[index] !== 0
  }
}

function flagThose(flags: Uint8Array, count: number, filter: Uint32Array, hashes: Uint32Array): void {
  for (let index = 0; index < count; index++) {
    if (mayContain(filter, hashes, 4 * index)) flags[index] = 1
  }
}
