import type { DatabaseSync } from 'node:sqlite'
import type { Appender } from './append.ts'
import {
  conflict,
  type GroupReply,
  type RefusalReason,
  type WireExtra,
  type WireGroup,
  type WireRefusal,
} from './protocol.ts'
import { fieldsPerEvent } from './record.ts'
import { createStreamIndex } from './stream-index.ts'
import type { WriterState } from './writer-state.ts'

/** Statements of the small tables that a commit may touch. */
export function prepareCommits(database: DatabaseSync) {
  return {
    streams: createStreamIndex(database),
    setCursor: database.prepare('INSERT OR REPLACE INTO cursors (source, value) VALUES (?, ?)'),
  }
}
export type CommitStatements = ReturnType<typeof prepareCommits>

/**
 * Applies commits one after another within a transaction that the caller owns. A commit is checked before anything of it is
 * written, so one that is refused needs no savepoint and leaves its neighbours untouched.
 */
export function applyGroup(state: WriterState, statements: CommitStatements, group: WireGroup): GroupReply {
  const { appender, dedup, ledgers } = state
  statements.streams.begin()
  const first = appender.head() + 1
  appender.expect(group.fields)
  const exceptions: number[] = []
  const refused: WireRefusal[] = []
  const versions: number[] = []
  const extras = new Map(group.extras)
  let event = 0
  for (const [index, count] of group.counts.entries()) {
    const extra = extras.get(index)
    const refusal = extra === undefined ? undefined : refusalOf(extra, state, statements, { group, event, count })
    if (refusal !== undefined) {
      refused.push([index, ...refusal])
      event += count
      continue
    }
    const streams = extra?.streams
    for (let position = 0; position < count; position++, event++) {
      const sequence = appender.append(group.fields, event * fieldsPerEvent, group.appendedAt)
      const stream = streams?.[position]
      if (sequence === 0) exceptions.push(event, appender.found.status === conflict ? 2 : 1, appender.found.sequence)
      else if (stream !== undefined) statements.streams.add(stream, sequence)
    }
    if (extra?.expect !== undefined) versions.push(index, statements.streams.version(extra.expect.stream))
    if (extra?.cursor !== undefined) statements.setCursor.run(extra.cursor.source, extra.cursor.value)
    for (const change of extra?.ledgers ?? []) ledgers.apply(change)
  }
  appender.flush()
  dedup.flush()
  // Four times what came in pays for sealing and two merges; the least amount lets small commits catch up too.
  dedup.work(Math.max(1024, 4 * (appender.head() + 1 - first)))
  return { first, head: appender.head(), exceptions, refused, versions }
}

/** The events of one commit within its group. */
interface Part {
  readonly group: WireGroup
  readonly event: number
  readonly count: number
}

function refusalOf(
  extra: WireExtra,
  { ledgers, appender }: WriterState,
  statements: CommitStatements,
  part: Part,
): [RefusalReason, string, number?] | undefined {
  for (const change of extra.ledgers ?? []) {
    const stale = ledgers.staleness(change)
    if (stale !== undefined) return ['stale-epoch', stale]
  }
  if (extra.expect === undefined) return undefined
  const { stream, version } = extra.expect
  const current = statements.streams.version(stream)
  if (version !== undefined && current !== version)
    return ['expect', `stream "${stream}" is at version ${current}, the commit expects ${version}`, current]
  const known = knownIn(appender, part)
  return known === -1 ? undefined : ['known', `event ${known} of the commit is there already`]
}

/** The first event of a commit that is in the log, or a second time in the commit; -1 when all are new. */
function knownIn(appender: Appender, { group: { fields }, event, count }: Part): number {
  const seen = new Set<string>()
  for (let position = 0; position < count; position++) {
    const at = (event + position) * fieldsPerEvent
    const key = JSON.stringify([fields[at], fields[at + 1]])
    if (seen.has(key) || appender.has(fields, at)) return position
    seen.add(key)
  }
  return -1
}
