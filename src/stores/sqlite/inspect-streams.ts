import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { prepareRows, scalar } from './database.ts'

const rowsPerSlice = 20_000
const mostProblems = 20

/** A row of the index: the stream, the version, the sequence. */
export type StreamPlace = readonly [stream: string, version: number, sequence: Sequence]

export interface StreamSlice {
  /** The row to go on after; undefined at the end. */
  readonly next: StreamPlace | undefined
  readonly problems: readonly string[]
}

/**
 * Checks a slice of the index of streams, in the order of streams and versions: no version is missing or out of order, and
 * each names an event of its stream. Only the oldest kept row of a stream may name an event that retention removed.
 */
export function inspectStreams(database: DatabaseSync, after: StreamPlace | undefined): StreamSlice {
  const pruned = scalar(database, "SELECT value FROM meta WHERE key = 'pruned'") ?? 0
  const rows = prepareRows(
    database,
    `SELECT s.stream, s.version, s.sequence, e.sequence, e.subject FROM streams s LEFT JOIN events e ON e.sequence = s.sequence
     WHERE (s.stream, s.version) > (?, ?) ORDER BY s.stream, s.version LIMIT ?`,
  )
  const problems: string[] = []
  let last = after
  let count = 0
  for (const row of rows.iterate(after?.[0] ?? '', after?.[1] ?? 0, rowsPerSlice)) {
    const [stream, version, sequence, there, subject] = row as unknown as [string, number, number, unknown, unknown]
    const before = last?.[0] === stream ? last : undefined
    const isKept = sequence > pruned
    const expected = (before?.[1] ?? 0) + 1
    count++
    last = [stream, version, sequence]
    if (isKept && version !== expected) problems.push(gap(stream, expected, version - 1))
    const named = `version ${version} of the stream ${stream} is event ${sequence}`
    if (before !== undefined && sequence <= before[2]) problems.push(`${named}, which is not after the version before`)
    if (isKept && there === null) problems.push(`${named}, which is missing`)
    else if (subject !== null && subject !== stream) problems.push(`${named}, which is about ${subject}`)
    if (problems.length >= mostProblems) return { next: undefined, problems }
  }
  return { next: count < rowsPerSlice ? undefined : last, problems }
}

const gap = (stream: string, from: number, to: number): string =>
  from === to
    ? `version ${from} of the stream ${stream} is missing`
    : `versions ${from} to ${to} of the stream ${stream} are missing`
