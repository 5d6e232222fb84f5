import type { BigIntStats, Dirent } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, messageOf } from '../../core/errors.ts'
import type { Log } from '../../core/platform.ts'
import { type Entry, entryOf } from './entry.ts'
import type { Change, Snapshot } from './snapshot.ts'

/** Which names below a root are looked at. */
export interface Scope {
  /** False for a name that is ignored, and with it everything below. */
  accepts(path: string, name: string): boolean
  /** The same for every name on the way to it. */
  reaches(path: string): boolean
  /** Files that are wanted; folders are always kept, as what is in them is. */
  matches(path: string): boolean
  /** Content counts: a file that was hinted at is compared by its hash even when it looks the same. */
  readonly byContent: boolean
  readonly maxFiles: number
}

/** What looking came to. */
export interface Look {
  readonly changes: readonly Change[]
  /** Known names were not there; they may be between two steps of being replaced, so the next look decides. */
  readonly hasSuspects: boolean
}

export interface TreeOptions {
  /** The real path of the root. */
  readonly root: string
  readonly scope: Scope
  readonly snapshot: Snapshot
  readonly log: Log
  /** Called for each folder before it is read, so that nothing between reading and watching is missed. */
  readonly onFolder: (path: string) => void
  /** A folder is gone, with everything below. */
  readonly onGone: (path: string) => void
}

/** What is known of one name now. `unknown`: it cannot be looked at, so nothing is said about it. */
type Seen = { readonly kind: 'there'; readonly entry: Entry } | { readonly kind: 'gone' } | { readonly kind: 'unknown' }

/** Files that are asked for at a time. */
const together = 64

/**
 * Compares what is there with what was reported last. The file system is the only truth: hints say where to look, and a
 * look answers what is new, different or gone there. It never follows links (SEC-69), and what it cannot read it leaves
 * as it was.
 */
export function createTree({ root, scope, snapshot, log, onFolder, onGone }: TreeOptions) {
  // A removal and what came in its place are two changes of one name.
  let removals = new Map<string, Change>()
  let arrivals = new Map<string, Change>()
  let news = 0
  let missing = new Set<string>()
  let suspects = new Set<string>()
  const complained = new Set<string>()

  const complain = (path: string, error: unknown): void => {
    if (complained.has(path) || complained.size > 1000) return
    complained.add(path)
    log.warn('a file or folder cannot be looked at and is left as it was', {
      path: join(root, path),
      error: messageOf(error),
    })
  }
  const report = (path: string, before: Entry | undefined, after: Entry): void => {
    if (before === undefined && !arrivals.has(path)) news++
    arrivals.set(path, { path, before, after })
    if (snapshot.size + news <= scope.maxFiles) return
    throw new AppError(
      'plugin-failed',
      `watching ${root}: there are more than ${scope.maxFiles} files and folders; narrow match, add to ignore, or raise maxFiles`,
    )
  }
  const remove = (path: string, before: Entry): void => {
    if (before.kind === 'folder') {
      onGone(path)
      for (const each of snapshot.below(path)) {
        removals.set(each, { path: each, before: snapshot.get(each), after: undefined })
      }
    }
    removals.set(path, { path, before, after: undefined })
  }

  const see = async (path: string): Promise<Seen> => {
    let stats: BigIntStats
    try {
      stats = await lstat(join(root, path), { bigint: true })
    } catch (error) {
      if (isAbsent(error)) return { kind: 'gone' }
      complain(path, error)
      return { kind: 'unknown' }
    }
    const entry = entryOf(stats)
    return entry === undefined ? { kind: 'gone' } : { kind: 'there', entry }
  }

  /** Reports one name; true when it is a folder that must be walked. */
  const compare = (path: string, seen: Seen, how: 'walk' | 'hint' | 'move'): boolean => {
    if (seen.kind === 'unknown') return false
    let before = snapshot.get(path)
    if (seen.kind === 'gone') {
      if (before !== undefined) missing.add(path)
      return false
    }
    const { entry } = seen
    if (before !== undefined && before.kind !== entry.kind) {
      remove(path, before)
      before = undefined
    }
    if (entry.kind === 'folder') {
      const isSame = before?.version === entry.version
      if (!isSame) report(path, before, entry)
      return how !== 'hint' || !isSame
    }
    if (!scope.matches(path)) return false
    const isSame = before?.version === entry.version && (how === 'walk' || !scope.byContent)
    if (!isSame) report(path, before, entry)
    return false
  }

  const read = async (folder: string): Promise<readonly Dirent[] | 'gone' | 'unknown'> => {
    const path = join(root, folder)
    try {
      onFolder(folder)
      // A link in place of a folder on the way would lead out of the root (SEC-68).
      if ((await realpath(path)) !== path) return 'gone'
      return await readdir(path, { withFileTypes: true })
    } catch (error) {
      if (isAbsent(error)) return 'gone'
      complain(folder, error)
      return 'unknown'
    }
  }

  /** A folder and all below it, one folder at a time, so that memory does not grow with depth. */
  const walk = async (from: string, signal: AbortSignal): Promise<void> => {
    for (const folders = [from]; folders.length > 0 && !signal.aborted; ) {
      const folder = folders.pop()!
      const found = await read(folder)
      if (found === 'unknown') continue
      if (found === 'gone') {
        if (snapshot.get(folder) !== undefined) missing.add(folder)
        continue
      }
      const prefix = folder === '' ? '' : `${folder}/`
      const names = found
        .filter((each) => (each.isFile() || each.isDirectory()) && scope.accepts(prefix + each.name, each.name))
        .map(({ name }) => name)
        .sort()
      const inside: string[] = []
      for (let at = 0; at < names.length; at += together) {
        const paths = names.slice(at, at + together).map((name) => prefix + name)
        const seen = await Promise.all(paths.map(see))
        paths.forEach((path, n) => {
          if (compare(path, seen[n]!, 'walk')) inside.push(path)
        })
      }
      folders.push(...inside.reverse())
      const there = new Set(names)
      for (const name of snapshot.names(folder)) if (!there.has(name)) missing.add(prefix + name)
    }
  }
  /** What was missing at the look before, too, is gone. */
  const taken = (): Look => {
    for (const path of missing) {
      const before = snapshot.get(path)
      if (suspects.has(path) && before !== undefined) remove(path, before)
    }
    const look = {
      changes: [...removals.values(), ...arrivals.values()],
      hasSuspects: missing.size > 0,
    }
    suspects = missing
    missing = new Set()
    removals = new Map()
    arrivals = new Map()
    news = 0
    return look
  }

  return {
    /** Looks at everything. */
    async scan(signal: AbortSignal): Promise<Look> {
      await walk('', signal)
      return taken()
    },
    /** Looks at these names; `true` says that something came, went or was renamed there. */
    async look(hints: ReadonlyMap<string, boolean>, signal: AbortSignal): Promise<Look> {
      const all = new Map([...hints, ...[...suspects].map((path) => [path, true] as const)])
      const paths = [...all.keys()].filter((path) => scope.reaches(path)).sort()
      for (let at = 0; at < paths.length && !signal.aborted; at += together) {
        const some = paths.slice(at, at + together)
        const seen = await Promise.all(some.map(see))
        for (const [n, path] of some.entries()) {
          if (compare(path, seen[n]!, all.get(path) === true ? 'move' : 'hint')) await walk(path, signal)
        }
      }
      return taken()
    },
  }
}

/** ELOOP: a link stands where a folder was. */
function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(String((error as NodeJS.ErrnoException).code))
}
