import type { Sequence } from '../../core/event.ts'
import type { Store } from '../../plugin/store.ts'
import type { ReplayCounts, ReplayTtl } from './face.ts'

/** Where they are stored: beside the state of sources, under a name that none can have. */
const place = 'millrace:/replays'

/** A replay as it is stored. How far it is stands in its ledger, until it has ended. */
export interface StoredReplay {
  readonly format: 1
  readonly id: string
  readonly subscription: string
  readonly from: Sequence
  readonly to: Sequence
  readonly removed: number
  readonly match?: readonly string[] | undefined
  readonly source?: readonly string[] | undefined
  readonly subject?: readonly string[] | undefined
  readonly rate: string
  readonly ttl: ReplayTtl
  readonly createdAt: number
  readonly end?: StoredEnd | undefined
}

export interface StoredEnd {
  readonly state: 'done' | 'cancelled'
  readonly at: number
  readonly counts: ReplayCounts
}

/** Every one, in order of subscription and id. */
export async function listReplays(store: Store): Promise<readonly StoredReplay[]> {
  return (await store.state.list(place)).flatMap(({ value }) => parse(value) ?? [])
}

export function writeReplay(store: Store, replay: StoredReplay): Promise<void> {
  return store.state.set(place, keyOf(replay), JSON.stringify(replay))
}

export function forgetReplay(store: Store, replay: StoredReplay): Promise<void> {
  return store.state.delete(place, keyOf(replay))
}

function keyOf({ subscription, id }: StoredReplay): string {
  return `${subscription}/${id}`
}

/** Undefined for what a later version wrote. */
function parse(text: string): StoredReplay | undefined {
  try {
    const value = JSON.parse(text) as StoredReplay
    return value.format === 1 ? value : undefined
  } catch {
    return undefined
  }
}
