import { Queue } from './queue.ts'

/**
 * First in, first out within a group, and the groups in turn (round robin): a group with one item waits for at most one
 * item of each other group.
 */
export class FairQueue<Item> {
  readonly #groupOf: (item: Item) => string
  /** In the order in which their turn comes: the one served goes to the end. */
  readonly #groups = new Map<string, Queue<Item>>()
  #size = 0

  constructor(groupOf: (item: Item) => string) {
    this.#groupOf = groupOf
  }

  get size(): number {
    return this.#size
  }

  push(item: Item): void {
    const name = this.#groupOf(item)
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new Queue()
      this.#groups.set(name, group)
    }
    group.push(item)
    this.#size += 1
  }

  peek(): Item | undefined {
    for (const group of this.#groups.values()) return group.peek()
    return undefined
  }

  shift(): Item | undefined {
    for (const [name, group] of this.#groups) {
      this.#groups.delete(name)
      const item = group.shift()
      if (group.size > 0) this.#groups.set(name, group)
      this.#size -= 1
      return item
    }
    return undefined
  }
}
