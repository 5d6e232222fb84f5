import type { Commit, CommitResult } from '../../plugin/store.ts'
import type { WireExtra } from './protocol.ts'
import { type Field, packRecord } from './record.ts'
import { encodeChange } from './rows.ts'

/** A group ends here: its answer is one turn of the event loop (2 ms for 4,096 events). */
const eventsPerGroup = 4096
const unitsPerGroup = 2 * 1024 * 1024

/** One call of `commit` that waits for its turn. */
export interface Waiting {
  readonly commits: readonly Commit[]
  readonly events: number
  readonly resolve: (results: readonly CommitResult[]) => void
  readonly reject: (error: unknown) => void
}

/** Calls that share a transaction, as they cross to the writer. */
export interface Gathered {
  readonly members: readonly Waiting[]
  readonly fields: readonly Field[]
  readonly sizes: readonly number[]
  readonly counts: readonly number[]
  readonly extras: readonly (readonly [number, WireExtra])[]
}

/** Below this a group is mostly its sync, and halving it would only add another. */
const leastToShare = 2048

/**
 * How many events the next group may have. When the writer has nothing to do, half of what waits: then it is given the other
 * half at once and never waits for the main thread. Measured with four callers of 1,000 events each: an eighth more.
 */
export function shareOf(events: number, isWriterIdle: boolean): number {
  return isWriterIdle && events >= leastToShare ? Math.min(eventsPerGroup, Math.ceil(events / 2)) : eventsPerGroup
}

/** Takes calls from the front of the queue until the group is full. One that cannot be written as text is rejected alone. */
export function gather(waiting: Waiting[], mostEvents = eventsPerGroup): Gathered {
  const fields: Field[] = []
  const sizes: number[] = []
  const counts: number[] = []
  const extras: [number, WireExtra][] = []
  const members: Waiting[] = []
  let units = 0
  for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
    if (members.length > 0 && (sizes.length + next.events > mostEvents || units > unitsPerGroup)) break
    waiting.shift()
    const before = [fields.length, sizes.length, counts.length, extras.length] as const
    try {
      for (const commit of next.commits) {
        const extra = extraOf(commit)
        if (extra !== undefined) extras.push([counts.length, extra])
        counts.push(commit.events?.length ?? 0)
        for (const event of commit.events ?? []) {
          const size = packRecord(event, fields)
          sizes.push(size)
          units += size
        }
      }
      members.push(next)
    } catch (error) {
      ;[fields.length, sizes.length, counts.length, extras.length] = before
      next.reject(error)
    }
  }
  return { members, fields, sizes, counts, extras }
}

function extraOf({ streams, expect, cursor, ledgers }: Commit): WireExtra | undefined {
  if (streams === undefined && expect === undefined && cursor === undefined && ledgers === undefined) return undefined
  return { streams, expect, cursor, ledgers: ledgers?.map(encodeChange) }
}
