import type { Sequence } from '../../core/event.ts'

/** The places of the events of one stream. Of those that retention removed only the last stays: versions go on from it. */
export class MemoryStream {
  /** Events before the first of `#sequences`. */
  #gone = 0
  readonly #sequences: Sequence[] = []

  get version(): number {
    return this.#gone + this.#sequences.length
  }

  add(sequence: Sequence): void {
    this.#sequences.push(sequence)
  }

  /** Versions with their sequences, after a version. */
  *after(version: number): Generator<[version: number, sequence: Sequence]> {
    for (let index = Math.max(0, version - this.#gone); index < this.#sequences.length; index++)
      yield [this.#gone + index + 1, this.#sequences[index]!]
  }

  /** Undefined when what tells it is gone. */
  versionAt(sequence: Sequence): number | undefined {
    const index = this.#sequences.findLastIndex((each) => each <= sequence)
    return index === -1 && this.#gone > 0 ? undefined : this.#gone + index + 1
  }

  prune(through: Sequence): void {
    const last = this.#sequences.findLastIndex((each) => each <= through)
    if (last <= 0) return
    this.#sequences.splice(0, last)
    this.#gone += last
  }
}
