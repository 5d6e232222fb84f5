import type { SourceContext } from './source.ts'

/**
 * A map kept in the key and value space of a source. Each `write` is one value of that space, so its changes are stored
 * all or none; from time to time everything that is still there is written anew and the old values are removed.
 */
export interface StateMap {
  /** In order of writing; a key that is written again keeps its place. */
  readonly entries: ReadonlyMap<string, string>
  /** Sets keys, or removes them (undefined). One call at a time; when it throws, nothing is changed here. */
  write(changes: readonly StateChange[]): Promise<void>
}
export type StateChange = readonly [key: string, value: string | undefined]

type State = Pick<SourceContext['state'], 'get' | 'set' | 'delete' | 'list'>

/** Rewriting costs as much as what is there, so it waits until as much is stale; small maps are left alone up to this. */
const staleBytes = 1024 * 1024
/** Values that are read at a start and removed at a rewrite. */
const maxSegments = 256
const segmentBytes = 256 * 1024
const digits = 12

/** Reads a map back. `prefix` sets its values apart from others of the same space. */
export async function openStateMap(state: State, prefix: string): Promise<StateMap> {
  const entries = new Map<string, string>()
  const startKey = `${prefix}start`
  const keyOf = (segment: number): string => `${prefix}${String(segment).padStart(digits, '0')}`
  let start = Number((await state.get(startKey)) ?? 0)
  let next = start
  let liveBytes = 0
  let writtenBytes = 0

  const apply = ([key, value]: StateChange): void => {
    const before = entries.get(key)
    if (before !== undefined) liveBytes -= key.length + before.length
    if (value === undefined) {
      entries.delete(key)
      return
    }
    entries.set(key, value)
    liveBytes += key.length + value.length
  }
  const append = async (changes: readonly StateChange[]): Promise<void> => {
    const text = JSON.stringify(changes.map(([key, value]) => [key, value ?? null]))
    await state.set(keyOf(next), text)
    next++
    writtenBytes += text.length
  }
  /** The new values first, then the place where reading begins, then the old values: a crash in between leaves the same map. */
  const rewrite = async (): Promise<void> => {
    const [before, first] = [start, next]
    writtenBytes = 0
    let part: StateChange[] = []
    let partBytes = 0
    for (const entry of entries) {
      part.push(entry)
      partBytes += entry[0].length + entry[1].length
      if (partBytes < segmentBytes) continue
      await append(part)
      part = []
      partBytes = 0
    }
    await append(part)
    await state.set(startKey, String(first))
    start = first
    await Promise.all(Array.from({ length: first - before }, (_, n) => state.delete(keyOf(before + n))))
  }

  for (const { key, value } of [...(await state.list(prefix))].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const segment = Number(key.slice(prefix.length))
    if (key === startKey || Number.isNaN(segment)) continue
    if (segment < start) {
      await state.delete(key)
      continue
    }
    for (const [name, written] of JSON.parse(value) as [string, string | null][]) apply([name, written ?? undefined])
    next = segment + 1
    writtenBytes += value.length
  }
  return {
    entries,
    async write(changes) {
      if (changes.length === 0) return
      await append(changes)
      for (const change of changes) apply(change)
      if (writtenBytes > 2 * liveBytes + staleBytes || next - start > maxSegments + liveBytes / segmentBytes)
        await rewrite()
    },
  }
}
