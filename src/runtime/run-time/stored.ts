import type { JsonOptions } from '../../plugin/define.ts'
import type { Store } from '../../plugin/store.ts'

/** Where they are stored: beside the state of sources, under a name that none can have. */
const place = 'millrace:/subscriptions'

/** A subscription as it is stored. */
export interface StoredSubscription {
  readonly format: 1
  readonly createdAt: number
  readonly changedAt: number
  readonly version: number
  /** As written, its sink only by type. */
  readonly config: JsonOptions
  /** The sink's options: readable, or encrypted. */
  readonly options?: JsonOptions | undefined
  readonly sealed?: string | undefined
  /** It has ended; what is left of it is still to be removed. */
  readonly isEnded?: true | undefined
}

/** What a sealed text is bound to: put under another name, it does not open. */
export function aboutOptions(name: string): string {
  return `options of subscription ${name}`
}

/** The version as people and HTTP see it; a name that is used again does not repeat it. */
export function etagOf({ createdAt, version }: Pick<StoredSubscription, 'createdAt' | 'version'>): string {
  return `${createdAt.toString(36)}-${version}`
}

export async function readStored(store: Store, name: string): Promise<StoredSubscription | undefined> {
  const text = await store.state.get(place, name)
  return text === undefined ? undefined : parse(text)
}

/** Every one, in order of name. */
export async function listStored(store: Store): Promise<readonly (readonly [string, StoredSubscription])[]> {
  const all = await store.state.list(place)
  return all.flatMap(({ key, value }) => {
    const stored = parse(value)
    return stored === undefined ? [] : [[key, stored] as const]
  })
}

export function writeStored(store: Store, name: string, stored: StoredSubscription): Promise<void> {
  return store.state.set(place, name, JSON.stringify(stored))
}

export function forgetStored(store: Store, name: string): Promise<void> {
  return store.state.delete(place, name)
}

/** Undefined for what a later version wrote. */
function parse(text: string): StoredSubscription | undefined {
  try {
    const value = JSON.parse(text) as StoredSubscription
    return value.format === 1 ? value : undefined
  } catch {
    return undefined
  }
}
