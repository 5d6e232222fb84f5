import type { BigIntStats } from 'node:fs'

/** A file or folder as it was last reported. */
export interface Entry {
  readonly kind: 'file' | 'folder'
  /** Changes with the content of a file and when another file takes its name; of a folder, the folder itself. */
  readonly version: string
  /** Time of the last change of any kind, in nanoseconds: makes two moments with one version different. */
  readonly touched: string
  /** SHA-256 of the content, where it is wanted and known. */
  readonly hash?: string | undefined
}

/** What stands under a name, if it is something that is watched: links, sockets, devices and pipes are not. */
export function entryOf(stats: BigIntStats): Entry | undefined {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats
  const touched = String(ctimeNs)
  if (stats.isFile()) return { kind: 'file', version: `${ino}:${size}:${mtimeNs}`, touched }
  // Its times change with everything in it.
  return stats.isDirectory() ? { kind: 'folder', version: `${dev}:${ino}`, touched } : undefined
}

export function sizeOf(entry: Entry): number {
  return Number(entry.version.split(':')[1])
}

export function modifiedMsOf(entry: Entry): number {
  return Number(BigInt(entry.version.split(':')[2] ?? 0) / 1_000_000n)
}

export function touchedMsOf(entry: Entry): number {
  return Number(BigInt(entry.touched) / 1_000_000n)
}

/** An entry as text, for the state of the source. */
export function entryText({ kind, version, touched, hash = '' }: Entry): string {
  return `${kind} ${version} ${touched} ${hash}`
}

/** Reads it back. */
export function parseEntry(text: string): Entry {
  const [kind, version = '', touched = '0', hash] = text.split(' ')
  return {
    kind: kind === 'folder' ? 'folder' : 'file',
    version,
    touched,
    ...(hash === undefined || hash === '' ? {} : { hash }),
  }
}
