import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { prepareRows, scalar } from './database.ts'

/** Which events are in which stream, for the writer. The caller owns the transaction. */
export interface StreamIndex {
  /** Called before the first use in a transaction: nothing is remembered of one that may have failed. */
  begin(): void
  version(stream: string): number
  add(stream: string, sequence: Sequence): void
}

export function createStreamIndex(database: DatabaseSync): StreamIndex {
  const newest = prepareRows(database, 'SELECT max(version) FROM streams WHERE stream = ?')
  const insert = database.prepare('INSERT INTO streams (stream, version, sequence) VALUES (?, ?, ?)')
  /** Of this transaction: looking up and preparing for each event cost two thirds of the rate. */
  const versions = new Map<string, number>()
  const version = (stream: string): number => {
    let known = versions.get(stream)
    if (known === undefined) {
      known = (newest.get(stream) as unknown as [number | null])[0] ?? 0
      versions.set(stream, known)
    }
    return known
  }
  return {
    begin: () => versions.clear(),
    version,
    add(stream, sequence) {
      const next = version(stream) + 1
      insert.run(stream, next, sequence)
      versions.set(stream, next)
    },
  }
}

/** The version that a stream was at; undefined when retention removed what tells it. */
export function createVersionAt(database: DatabaseSync): (stream: string, sequence: Sequence) => number | undefined {
  const last = prepareRows(
    database,
    'SELECT version FROM streams WHERE stream = ? AND sequence <= ? ORDER BY version DESC LIMIT 1',
  )
  const first = prepareRows(database, 'SELECT version FROM streams WHERE stream = ? ORDER BY version LIMIT 1')
  return (stream, sequence) => {
    const at = last.get(stream, sequence) as unknown as [number] | undefined
    if (at !== undefined) return at[0]
    const [oldest] = (first.get(stream) ?? [1]) as unknown as [number]
    return oldest === 1 ? 0 : undefined
  }
}

/**
 * Takes removed events out of the index. The last of each stream stays: the versions of a stream go on from it, and it tells
 * the version at every sequence that is kept.
 */
export function pruneStreams(database: DatabaseSync, from: Sequence, through: Sequence): void {
  if (scalar(database, 'SELECT 1 FROM streams LIMIT 1') === undefined) return
  const touched = prepareRows(
    database,
    'SELECT stream, max(version) FROM streams WHERE sequence BETWEEN ? AND ? GROUP BY stream',
  )
  const remove = database.prepare('DELETE FROM streams WHERE stream = ? AND version < ?')
  for (const [stream, version] of touched.all(from, through) as unknown as [string, number][])
    remove.run(stream, version)
}
