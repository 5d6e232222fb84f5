import { hash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'

/** How far a file was read. The file is known by device and inode, and by its first bytes, as inodes are used again. */
export interface Position {
  readonly device: string
  readonly inode: string
  /** How often the file began anew: truncated, or another file with its inode. */
  readonly generation: number
  /** In every id of its lines; empty until the first one is read. */
  readonly key: string
  /** Where the first line that was not read begins. */
  readonly offset: number
  /** The file's first bytes when it was last read, at most `printBytes`; none of a line that was not whole then. */
  readonly print: Print
  /** Where it was found last. */
  readonly path: string
  /** Its subject: the name under which it was found first. */
  readonly name: string
  /** Wall time when it was there last. */
  readonly seenMs: number
}

export interface Print {
  readonly bytes: number
  readonly hash: string
}

/** Enough to tell two log files apart, and read in one go. */
export const printBytes = 1024
export const noPrint: Print = { bytes: 0, hash: '' }
/** A file that is gone is remembered for so long: its folder may come back, and its name may yet be matched. */
const rememberedMs = 7 * 86_400_000

export function printOf(first: Buffer): Print {
  return { bytes: first.length, hash: hash('sha256', first, 'base64url').slice(0, 22) }
}

export function isPrintOf(print: Print, first: Buffer): boolean {
  return (
    first.length >= print.bytes && (print.bytes === 0 || printOf(first.subarray(0, print.bytes)).hash === print.hash)
  )
}

/** The part of ids that names a file: the same when the same beginning is read again, and another after a new beginning. */
export function keyOf({ dev, ino, birthtimeNs }: BigIntStats, generation: number, first: Buffer): string {
  const line = first.subarray(0, first.indexOf(10) + 1 || undefined)
  const identity = `${dev}:${ino}:${birthtimeNs}:${generation}:${line.toString('base64')}`
  return hash('sha256', identity, 'base64url').slice(0, 16)
}

/** All positions as the cursor; those of files that are gone for long, or more than `most`, are left out. */
export function cursorOf(positions: readonly Position[], nowMs: number, most: number): string {
  const kept = positions
    .filter(({ seenMs }) => nowMs - seenMs < rememberedMs)
    .sort((a, b) => b.seenMs - a.seenMs)
    .slice(0, most)
  return JSON.stringify({ files: kept })
}

/** The positions of a cursor; undefined when there is none. That of a source of another type counts as none. */
export function parseCursor(cursor: string | undefined): Position[] | undefined {
  if (cursor === undefined) return undefined
  try {
    const { files } = JSON.parse(cursor) as { readonly files?: Position[] }
    return Array.isArray(files) ? files : undefined
  } catch {
    return undefined
  }
}
