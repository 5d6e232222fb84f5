import { messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import type { Store } from '../../plugin/store.ts'

/** Whose snapshot of what. */
export interface SnapshotKey {
  /** The name of the decider. */
  readonly decider: string
  readonly stream: string
  /** Of the code that makes the state: another one cannot use it. */
  readonly format: number
}

/** A state, and the version of its stream. */
export interface Snapshot {
  readonly version: number
  readonly state: unknown
}

/** The newest state that a decider made of each stream. A cache: losing it costs time and nothing else. */
export interface Snapshots {
  /** Undefined when there is none, or none that can be used for the stream at this version. */
  read(key: SnapshotKey, version: number): Promise<Snapshot | undefined>
  /** Takes the place of the one before. Never throws: what cannot be kept is logged. */
  write(key: SnapshotKey, snapshot: Snapshot): Promise<void>
}

interface Stored extends Snapshot {
  readonly format: number
  /** Of another life of the store it says nothing. */
  readonly incarnation: string
}

/** Snapshots in the store's private key space, one for each decider and stream. */
export function createSnapshots(store: () => Store, log: Log): Snapshots {
  const placeOf = ({ decider }: SnapshotKey): string => `millrace:/snapshots/${decider}`
  return {
    async read(key, version) {
      const text = await store().state.get(placeOf(key), key.stream)
      if (text === undefined) return undefined
      const stored = parse(text)
      if (stored === undefined) {
        log.warn('a snapshot cannot be read and is ignored', { decider: key.decider, stream: key.stream })
        return undefined
      }
      const isOurs = stored.format === key.format && stored.incarnation === store().incarnation
      return isOurs && stored.version <= version ? stored : undefined
    },
    async write(key, { version, state }) {
      try {
        const stored: Stored = { format: key.format, incarnation: store().incarnation, version, state }
        await store().state.set(placeOf(key), key.stream, JSON.stringify(stored))
      } catch (error) {
        log.warn('a snapshot could not be kept', { decider: key.decider, stream: key.stream, error: messageOf(error) })
      }
    },
  }
}

function parse(text: string): Stored | undefined {
  try {
    const stored = JSON.parse(text) as Stored | null
    return Number.isSafeInteger(stored?.version) && stored !== null && 'state' in stored ? stored : undefined
  } catch {
    return undefined
  }
}
