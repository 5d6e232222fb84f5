import type { Sequence } from './event.ts'

/** How long a key must be quiet before its latest event is delivered, and how long that may take at most. */
export interface CoalescePolicy {
  readonly windowMs: number
  readonly maxWaitMs: number
}

/** What a delivery stands for: how many events of its key, and when the first and the last of them were appended. */
export interface Group {
  readonly count: number
  readonly firstAt: number
  readonly lastAt: number
}

/** A group that waits, represented by its newest event. */
export interface OpenGroup {
  readonly sequence: Sequence
  readonly dueAt: number
  readonly group: Group
  /** The representative is not to be delivered earlier. */
  readonly notBefore?: number | undefined
}

/** What an arrival does to its key. */
export interface Arrival extends OpenGroup {
  /** The representative until now: settled as superseded. */
  readonly superseded?: Sequence | undefined
}

interface KeyState {
  /** `retryAt`: it waits for a retry, which has its own time. */
  open: (OpenGroup & { readonly retryAt: number | undefined }) | undefined
  sealed: { readonly sequence: Sequence; readonly group: Group } | undefined
}

/** The key within which events supersede one another; without a subject an event stands alone. */
export function coalesceKey(type: string, subject: string | undefined): string | undefined {
  return subject === undefined ? undefined : `${type} ${subject}`
}

/**
 * Coalescing by key (G22). A key has at most one open and at most one sealed group:
 *
 * - open: its representative waits, for quiet or for a retry. A newer event takes its place. One that waits for quiet is
 *   due `windowMs` after its last event and at most `maxWaitMs` after its first; one that waits for a retry keeps its time.
 * - sealed: an attempt is under way. It absorbs nothing; what arrives meanwhile opens another group, which starts only
 *   after this one has ended. When the attempt fails and such a group is there, it takes over, with the retry's time.
 *   Where clients fetch, a delivery is sealed when it waits for them; until one has had it, a newer event takes it over.
 */
export class Coalescing {
  readonly #policy: CoalescePolicy
  readonly #keys = new Map<string, KeyState>()

  constructor(policy: CoalescePolicy) {
    this.#policy = policy
  }

  /** Keys with a group. */
  get size(): number {
    return this.#keys.size
  }

  arrive(key: string, sequence: Sequence, appendedAt: number, notBefore?: number): Arrival {
    const state = this.#state(key)
    const { open } = state
    const group: Group = {
      count: (open?.group.count ?? 0) + 1,
      firstAt: open?.group.firstAt ?? appendedAt,
      lastAt: appendedAt,
    }
    const { windowMs, maxWaitMs } = this.#policy
    const retryAt = open?.retryAt
    const wantedAt = retryAt ?? Math.min(appendedAt + windowMs, group.firstAt + maxWaitMs)
    const dueAt = Math.max(wantedAt, notBefore ?? 0)
    state.open = { sequence, dueAt, group, retryAt, notBefore }
    return { sequence, dueAt, group, superseded: open?.sequence }
  }

  /** True when the key's delivery may begin: it is the open group's representative, and no other attempt is under way. */
  mayStart(key: string): boolean {
    return this.#keys.get(key)?.sealed === undefined
  }

  /** True when this delivery still stands for its key. */
  isOpen(key: string, sequence: Sequence): boolean {
    return this.#keys.get(key)?.open?.sequence === sequence
  }

  /** An attempt of the open group begins; answers what it stands for. */
  seal(key: string): Group {
    const state = this.#state(key)
    const { sequence, group } = state.open!
    state.sealed = { sequence, group }
    state.open = undefined
    return group
  }

  /**
   * The attempt ended and the delivery is to be tried again at `dueAt`: its group is open again. When a newer one opened
   * meanwhile, that one absorbs it and keeps the retry's time; the answer names it.
   */
  reopen(key: string, dueAt: number): Arrival {
    const state = this.#state(key)
    const { sequence, group } = state.sealed!
    const { open } = state
    state.sealed = undefined
    if (open === undefined) {
      state.open = { sequence, dueAt, group, retryAt: dueAt }
      return { sequence, dueAt, group }
    }
    const joined: Group = { ...open.group, count: open.group.count + group.count, firstAt: group.firstAt }
    const at = Math.max(dueAt, open.notBefore ?? 0)
    state.open = { ...open, dueAt: at, group: joined, retryAt: dueAt }
    return { sequence: open.sequence, dueAt: at, group: joined, superseded: sequence }
  }

  /** The sealed delivery is settled; answers the group that opened meanwhile. */
  end(key: string): OpenGroup | undefined {
    const state = this.#state(key)
    state.sealed = undefined
    if (state.open === undefined) this.#keys.delete(key)
    return state.open
  }

  /** The begun delivery of a key, and whether nothing newer waits behind it. */
  sealed(key: string): { readonly sequence: Sequence; readonly group: Group; readonly isAlone: boolean } | undefined {
    const state = this.#keys.get(key)
    return state?.sealed && { ...state.sealed, isAlone: state.open === undefined }
  }

  /** After a restart: a delivery that was begun and has not ended. */
  restoreSealed(key: string, sequence: Sequence, group: Group): void {
    this.#state(key).sealed = { sequence, group }
  }

  /** The open delivery was settled without an attempt (expired, lost). */
  leave(key: string, sequence: Sequence): void {
    const state = this.#state(key)
    if (state.open?.sequence === sequence) state.open = undefined
    if (state.open === undefined && state.sealed === undefined) this.#keys.delete(key)
  }

  /**
   * A remembered delivery comes in: after a restart, or put back from the dead letters. The newest of a key stands for it;
   * the answer names the older one, which is superseded.
   */
  restore(key: string, found: OpenGroup, isRetry: boolean): Arrival {
    const state = this.#state(key)
    const { open, sealed } = state
    if (open === undefined) {
      if (sealed !== undefined && sealed.sequence > found.sequence) {
        return { ...found, sequence: sealed.sequence, superseded: found.sequence }
      }
      state.open = { ...found, retryAt: isRetry ? found.dueAt : undefined }
      return found
    }
    const [older, newer] = open.sequence < found.sequence ? [open, found] : [found, open]
    const group: Group = {
      count: older.group.count + newer.group.count,
      firstAt: Math.min(older.group.firstAt, newer.group.firstAt),
      lastAt: newer.group.lastAt,
    }
    const { sequence, dueAt, notBefore } = newer
    const retryAt = isRetry || open.retryAt !== undefined ? dueAt : undefined
    state.open = { sequence, dueAt, group, retryAt, notBefore }
    return { ...state.open, superseded: older.sequence }
  }

  #state(key: string): KeyState {
    let state = this.#keys.get(key)
    if (state === undefined) {
      state = { open: undefined, sealed: undefined }
      this.#keys.set(key, state)
    }
    return state
  }
}
