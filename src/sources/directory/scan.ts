import { watch } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../core/platform.ts'
import { isUnfinished } from '../../io/file-names.ts'

/** A regular file in the folder, as it looked when it was seen. */
export interface Candidate {
  readonly name: string
  readonly path: string
  readonly size: number
  /** Changes with every write to the file and when another file takes its name. */
  readonly fingerprint: string
}

export interface ScanResult {
  /** Unchanged for long enough, in order of name. */
  readonly ready: readonly Candidate[]
  /** Every file that is there, ready or not. */
  readonly names: ReadonlySet<string>
  /** How long until the next one may be ready. */
  readonly nextMs: number | undefined
}

export interface ScannerOptions {
  readonly root: string
  readonly accepts: (name: string) => boolean
  readonly settleMs: number
  readonly clock: Clock
  /** Called once for a name that is left alone although it matches. */
  readonly onSkip: (name: string, reason: string) => void
}

/** Looks into the folder and tells which files have stopped growing: same size and time of change for `settleMs`. */
export function createScanner({ root, accepts, settleMs, clock, onSkip }: ScannerOptions): () => Promise<ScanResult> {
  let seen = new Map<string, { readonly fingerprint: string; readonly since: number }>()
  let skipped = new Set<string>()
  return async () => {
    const entries = await readdir(root, { withFileTypes: true })
    const names = entries.map((entry) => entry.name).filter((name) => accepts(name) && !isUnfinished(name))
    const still = new Map<string, { readonly fingerprint: string; readonly since: number }>()
    const stillSkipped = new Set<string>()
    const ready: Candidate[] = []
    let nextMs: number | undefined
    for (const name of names.sort()) {
      const candidate = await look(join(root, name), name)
      if (candidate === undefined) continue
      if (typeof candidate === 'string') {
        if (!skipped.has(name)) onSkip(name, candidate)
        stillSkipped.add(name)
        continue
      }
      const now = clock.monotonic()
      const before = seen.get(name)
      const since = before?.fingerprint === candidate.fingerprint ? before.since : now
      still.set(name, { fingerprint: candidate.fingerprint, since })
      const leftMs = since + settleMs - now
      if (leftMs <= 0) ready.push(candidate)
      else nextMs = Math.min(nextMs ?? leftMs, leftMs)
    }
    seen = still
    skipped = stillSkipped
    return { ready, names: new Set(names), nextMs }
  }
}

/** The file as it is now; a text says why it is left alone; undefined when it is gone or a folder. */
export async function look(path: string, name: string): Promise<Candidate | string | undefined> {
  const info = await lstat(path).catch(() => undefined)
  if (info === undefined || info.isDirectory()) return undefined
  if (info.isSymbolicLink()) return 'symbolic links are not followed'
  if (!info.isFile()) return 'it is not a regular file'
  if (info.nlink > 1) return 'it has another hard link'
  const { size, dev, ino, mtimeMs } = info
  return { name, path, size, fingerprint: `${dev}:${ino}:${size}:${mtimeMs}` }
}

/** Whether a name fits a pattern of literal characters, `*` (any run) and `?` (any one), in linear time per star. */
export function matchesName(pattern: string, name: string): boolean {
  let at = 0
  let star = -1
  let retry = 0
  for (let n = 0; n < name.length; ) {
    if (pattern[at] === '*') {
      star = at++
      retry = n
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[n])) {
      at++
      n++
    } else if (star !== -1) {
      at = star + 1
      n = ++retry
    } else {
      return false
    }
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

/** `next()` resolves when something happens in the folder from now on. Only a hint: where watching fails, scanning goes on. */
export function watchFolder(root: string): { next(): Promise<void>; close(): void } {
  let wake = Promise.withResolvers<void>()
  let close = (): void => undefined
  try {
    const watcher = watch(root, { persistent: false }, () => wake.resolve())
    watcher.on('error', () => watcher.close())
    close = () => watcher.close()
  } catch {
    // Network folders and exhausted inotify limits: the scan interval finds everything.
  }
  return {
    next() {
      wake = Promise.withResolvers<void>()
      return wake.promise
    },
    close: () => close(),
  }
}
