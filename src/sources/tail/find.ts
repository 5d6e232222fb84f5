import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { compileGlobs, isGlob, type PathTest } from '../../io/glob.ts'

/** A path or pattern to follow. */
export interface Target {
  /** The folder in front of the first name with a star or the like. */
  readonly base: string
  readonly fits: PathTest
  /** Folders below the base, at most. */
  readonly depth: number
  readonly withHidden: boolean
}

export interface Found {
  readonly path: string
  /** Relative to the base of its target, with `/` between names. */
  readonly name: string
}

/** Cuts a path or pattern into the folder to look in and what to look for there. */
export function targetOf(written: string, directory: string): Target {
  const names = written.replaceAll('\\', '/').split('/')
  const first = names.findIndex(isGlob)
  const at = first < 0 ? names.length - 1 : first
  const rest = names.slice(at)
  return {
    base: resolve(directory, names.slice(0, at).join('/') || (written.startsWith('/') ? '/' : '.')),
    fits: first < 0 ? (path) => path === rest[0] : compileGlobs([`/${rest.join('/')}`]),
    depth: rest.includes('**') ? Number.POSITIVE_INFINITY : rest.length - 1,
    withHidden: rest.some((name) => name.startsWith('.')),
  }
}

/** Folders of one target that are looked into, at most. */
const maxFolders = 10_000

/**
 * The files that a target means now, in order of name. `onFolder` is called for each folder that is looked into, before
 * that. Folders that are links are not entered; files that are links only when `followLinks`.
 */
export async function find(
  target: Target,
  followLinks: boolean,
  onFolder: (folder: string) => void,
): Promise<readonly Found[]> {
  const found: Found[] = []
  let base: string
  try {
    base = await realpath(target.base)
  } catch {
    return []
  }
  const folders: { path: string; prefix: string; depth: number }[] = [{ path: base, prefix: '', depth: 0 }]
  for (let n = 0; n < folders.length && n < maxFolders; n++) {
    const { path, prefix, depth } = folders[n]!
    onFolder(path)
    const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      const { name } = entry
      if (name.startsWith('.') && !target.withHidden) continue
      if (entry.isDirectory() && depth < target.depth) {
        folders.push({ path: join(path, name), prefix: `${prefix}${name}/`, depth: depth + 1 })
      }
      const isFile = entry.isFile() || (followLinks && entry.isSymbolicLink() && (await isFileBehind(join(path, name))))
      if (isFile && target.fits(prefix + name)) found.push({ path: join(path, name), name: prefix + name })
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1))
}

async function isFileBehind(link: string): Promise<boolean> {
  return stat(link).then(
    (stats) => stats.isFile(),
    () => false,
  )
}

/** Where a file went that was renamed within its folder: the name that has its inode now. */
export async function findRenamed(path: string, inode: string): Promise<string | undefined> {
  const folder = dirname(path)
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  // A rotated log keeps the beginning of its name, and a name that does not is not worth a look at every file.
  const stem = basename(path).split('.')[0]!
  for (const entry of entries) {
    if (!entry.isFile() || !entry.name.startsWith(stem)) continue
    const stats = await lstat(join(folder, entry.name), { bigint: true }).catch(() => undefined)
    if (stats?.isFile() && String(stats.ino) === inode) return join(folder, entry.name)
  }
  return undefined
}
