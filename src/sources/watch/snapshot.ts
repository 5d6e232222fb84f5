import type { SourceContext } from '../../plugin/source.ts'
import { openStateMap, type StateChange } from '../../plugin/state-map.ts'
import { type Entry, entryText, parseEntry } from './entry.ts'

/** One name whose entry is not what was reported last; `after` is undefined when it is gone. */
export interface Change {
  /** Relative to the root, with `/` between names. */
  readonly path: string
  readonly before: Entry | undefined
  readonly after: Entry | undefined
}

/** What was last reported of one root. */
export interface Snapshot {
  /** False until the first look at the root is finished. */
  readonly isKnown: boolean
  readonly size: number
  get(path: string): Entry | undefined
  /** Names directly in a folder (empty path: the root). */
  names(folder: string): readonly string[]
  /** Everything below a folder, what is deepest first. */
  below(folder: string): string[]
  /** Changes for the next cursor; `isComplete` says that with them the first look is finished. */
  changes(changes: readonly Change[], isComplete: boolean): StateChange[]
}

export interface Snapshots {
  of(rootKey: string): Snapshot
  /** How many removals were told, all roots together: what comes back exactly as it was is another event then. */
  readonly removals: number
  /** The cursor of a batch with these changes: they are stored in one commit with its events. */
  cursor(changes: readonly StateChange[]): string
  /** Called when that batch is committed. */
  apply(changes: readonly StateChange[]): Promise<void>
}

const known = 'known'
const removalsKey = 'removals'

/**
 * Reads the snapshots back. They lie in the source's state, which cannot be written in one commit with events; so the
 * changes of the newest batch travel in the cursor, and are done again at a start in case the process died before that.
 * What the configuration no longer asks for is forgotten without an event.
 */
export async function openSnapshots(
  cursor: string | undefined,
  state: SourceContext['state'],
  isWanted: (root: string, path: string) => boolean,
): Promise<Snapshots> {
  const map = await openStateMap(state, 'seen:')
  await map.write(changesOf(cursor))
  const unwanted = [...map.entries.keys()].filter((key) => key !== removalsKey && !isWanted(...partsOf(key)))
  await map.write(unwanted.map((key): StateChange => [key, undefined]))
  // Keys that are no names.
  const marks = new Set<string>()
  const trees = new Map<string, Map<string, Set<string>>>()

  const index = (key: string, isThere: boolean): void => {
    const [root, path] = partsOf(key)
    if (path === '') {
      marks.add(key)
      return
    }
    const folders = trees.get(root) ?? new Map<string, Set<string>>()
    trees.set(root, folders)
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    const names = folders.get(folder) ?? new Set()
    if (isThere) folders.set(folder, names.add(path.slice(path.lastIndexOf('/') + 1)))
    else if (names.delete(path.slice(path.lastIndexOf('/') + 1)) && names.size === 0) folders.delete(folder)
  }
  const names = (root: string, folder: string): readonly string[] => [...(trees.get(root)?.get(folder) ?? [])]
  const below = (root: string, folder: string): string[] =>
    names(root, folder).flatMap((name) => {
      const path = folder === '' ? name : `${folder}/${name}`
      return [...below(root, path), path]
    })
  const apply = async (changes: readonly StateChange[]): Promise<void> => {
    await map.write(changes)
    for (const [key, value] of changes) index(key, value !== undefined)
  }
  const removals = (): number => Number(map.entries.get(removalsKey) ?? 0)

  for (const key of map.entries.keys()) index(key, true)
  return {
    of(root) {
      return {
        get isKnown() {
          return map.entries.get(root) === known
        },
        get size() {
          return map.entries.size - marks.size
        },
        get(path) {
          const text = map.entries.get(`${root}/${path}`)
          return text === undefined ? undefined : parseEntry(text)
        },
        names: (folder) => names(root, folder),
        below: (folder) => below(root, folder),
        changes(changes, isComplete) {
          const all = changes.map(
            ({ path, after }): StateChange => [`${root}/${path}`, after === undefined ? undefined : entryText(after)],
          )
          const removed = changes.filter(({ after }) => after === undefined).length
          if (removed > 0) all.push([removalsKey, String(removals() + removed)])
          if (isComplete && map.entries.get(root) !== known) all.push([root, known])
          return all
        },
      }
    },
    get removals() {
      return removals()
    },
    cursor: (changes) => JSON.stringify({ seen: changes.map(([key, value]) => [key, value ?? null]) }),
    apply,
  }
}

/** The root's own key has no path. */
function partsOf(key: string): [root: string, path: string] {
  const slash = key.indexOf('/')
  return slash < 0 ? [key, ''] : [key.slice(0, slash), key.slice(slash + 1)]
}

function changesOf(cursor: string | undefined): StateChange[] {
  if (cursor === undefined) return []
  let seen: unknown
  try {
    seen = (JSON.parse(cursor) as { readonly seen?: unknown }).seen
  } catch {
    // The cursor of a source of another type that had this name.
  }
  if (!Array.isArray(seen)) return []
  return (seen as [string, string | null][]).map(([key, value]) => [key, value ?? undefined])
}
