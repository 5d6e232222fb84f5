import type { Sequence } from './event.ts'

/** What to do with a delivery that arrives. */
export type Admission = 'run' | 'queue' | 'hold'

/** What follows when the delivery at the head of a key is settled. */
export type Next<Item> =
  | { readonly kind: 'run'; readonly item: Item }
  | { readonly kind: 'load'; readonly sequences: readonly Sequence[] }
  | undefined

interface KeyState<Item> {
  /** Its head, while that one is remembered in a row, or dead and the key is parked behind it. */
  blockedBy: Sequence | undefined
  /** Arrived while the head was being tried; in memory. */
  queue: Item[]
  /** Waiting in the key's stored row, ascending. */
  held: Sequence[]
}

/**
 * Order within a key: at most one delivery of a key runs. A key is
 *
 * - free: not known here; an arrival runs at once.
 * - busy: its head is being tried; arrivals queue in memory.
 * - blocked: its head waits for a retry, or is dead and `park` holds the key; arrivals go to the held list, and stay
 *   there in order until the ones before them are settled.
 */
export class KeyOrder<Item extends { readonly sequence: Sequence }> {
  readonly #keys = new Map<string, KeyState<Item>>()
  readonly #canHold: boolean

  /** `canHold: false` (strict ordering): arrivals always queue; the caller stops asking when its window is full. */
  constructor(canHold = true) {
    this.#canHold = canHold
  }

  arrive(key: string, item: Item): Admission {
    const state = this.#keys.get(key)
    if (state === undefined) {
      this.#keys.set(key, { blockedBy: undefined, queue: [], held: [] })
      return 'run'
    }
    if (this.#canHold && (state.blockedBy !== undefined || state.held.length > 0)) {
      state.held.push(item.sequence)
      return 'hold'
    }
    state.queue.push(item)
    return 'queue'
  }

  /** The head of the key waits from now on; answers what was queued behind it and is held now. */
  block(key: string, head: Sequence): readonly Item[] {
    const state = this.#state(key)
    state.blockedBy = head
    if (!this.#canHold) return []
    const queue = state.queue
    state.queue = []
    state.held = [...queue.map(({ sequence }) => sequence), ...state.held]
    return queue
  }

  /** The head of the key is settled: what runs next. Sequences to `load` stay held until `leaveHeld`. */
  release(key: string): Next<Item> {
    const state = this.#state(key)
    state.blockedBy = undefined
    const item = state.queue.shift()
    if (item !== undefined) return { kind: 'run', item }
    if (state.held.length > 0) return { kind: 'load', sequences: state.held }
    this.#keys.delete(key)
    return undefined
  }

  /** A held delivery was settled or got a row of its own. */
  leaveHeld(key: string, sequence: Sequence): readonly Sequence[] {
    const state = this.#state(key)
    state.held = state.held.filter((other) => other !== sequence)
    return state.held
  }

  held(key: string): readonly Sequence[] {
    return this.#keys.get(key)?.held ?? []
  }

  /** At start: a key with a waiting row, a parked dead letter, or held sequences. */
  restore(key: string, facts: { readonly blockedBy?: Sequence; readonly held?: readonly Sequence[] }): void {
    const state = this.#state(key)
    state.blockedBy ??= facts.blockedBy
    if (facts.held !== undefined) state.held = [...facts.held]
  }

  /** Keys that have held sequences and nothing in front of them: their first may run. */
  runnableHeld(): readonly string[] {
    return [...this.#keys]
      .filter(([, state]) => state.blockedBy === undefined && state.held.length > 0)
      .map(([key]) => key)
  }

  /** The delivery that the key waits for. */
  blockedBy(key: string): Sequence | undefined {
    return this.#keys.get(key)?.blockedBy
  }

  /** True when an arrival would be held. */
  wouldHold(key: string): boolean {
    const state = this.#keys.get(key)
    return this.#canHold && state !== undefined && (state.blockedBy !== undefined || state.held.length > 0)
  }

  #state(key: string): KeyState<Item> {
    let state = this.#keys.get(key)
    if (state === undefined) {
      state = { blockedBy: undefined, queue: [], held: [] }
      this.#keys.set(key, state)
    }
    return state
  }
}
