import type { Sequence } from '../../core/event.ts'
import type { AppendResult, Commit, CommitResult, Durability } from '../../plugin/store.ts'
import type { Port } from './port.ts'
import { conflict, type GroupReply, type WireExtra } from './protocol.ts'
import { type Field, fieldsPerEvent, packRecord } from './record.ts'
import { encodeChange } from './rows.ts'
import type { Tail } from './tail.ts'
import type { WriterOperations } from './writer-operations.ts'

/** While one transaction syncs the next is already with the writer; a third gathers. */
const mostGroups = 2
/** A group ends here: its answer is one turn of the event loop (2 ms for 4,096 events). */
const eventsPerGroup = 4096
const unitsPerGroup = 2 * 1024 * 1024

interface Waiting {
  readonly commits: readonly Commit[]
  readonly events: number
  readonly resolve: (results: readonly CommitResult[]) => void
  readonly reject: (error: unknown) => void
}

/** Gathers commits into groups, hands them to the writer, and gives each caller its own results. */
export interface GroupCommit {
  commit(commits: readonly Commit[]): Promise<readonly CommitResult[]>
  /** Resolves when everything handed in was answered. */
  drain(): Promise<void>
}

export function createGroupCommit(parts: {
  readonly writer: Port<WriterOperations>
  readonly tail: Tail
  readonly durability: Durability
  readonly now: () => number
  /** Runs before the callers are answered: the head moves first. */
  readonly onHead: (head: Sequence) => void
  /** Called after each group with the length of the write-ahead log. */
  readonly onLog: (pages: number) => void
  /** Called whenever nothing is left to write. */
  readonly onIdle: () => void
}): GroupCommit {
  const { writer, tail, durability, now, onHead, onLog, onIdle } = parts
  const waiting: Waiting[] = []
  const drained: (() => void)[] = []
  let groups = 0
  let scheduled = false

  const schedule = (): void => {
    if (scheduled || waiting.length === 0 || groups >= mostGroups) return
    scheduled = true
    // One turn of the event loop later: all that is handed in within this turn shares a transaction.
    setImmediate(() => {
      scheduled = false
      while (waiting.length > 0 && groups < mostGroups) send()
    })
  }

  const send = (): void => {
    const fields: Field[] = []
    const sizes: number[] = []
    const counts: number[] = []
    const extras: [number, WireExtra][] = []
    const members: Waiting[] = []
    let units = 0
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (members.length > 0 && (sizes.length + next.events > eventsPerGroup || units > unitsPerGroup)) break
      waiting.shift()
      members.push(next)
      for (const commit of next.commits) {
        const extra = extraOf(commit)
        if (extra !== undefined) extras.push([counts.length, extra])
        counts.push(commit.events?.length ?? 0)
        for (const event of commit.events ?? []) {
          const size = packRecord(event, fields)
          sizes.push(size)
          units += size
        }
      }
    }
    groups++
    const appendedAt = now()
    writer
      .call('group', { appendedAt, fields, counts, extras })
      .then((reply) => {
        answer(members, counts, reply, { appendedAt, fields, sizes })
        onLog(reply.logPages)
      })
      .catch((error: unknown) => {
        for (const member of members) member.reject(error)
      })
      .finally(() => {
        groups--
        schedule()
        if (groups > 0 || waiting.length > 0) return
        for (const resolve of drained.splice(0)) resolve()
        onIdle()
      })
  }

  const answer = (
    members: readonly Waiting[],
    counts: readonly number[],
    reply: GroupReply,
    written: { readonly appendedAt: number; readonly fields: readonly Field[]; readonly sizes: readonly number[] },
  ): void => {
    const results = new Array<CommitResult>(counts.length)
    const refused = new Map(
      reply.refused.map(([index, reason, detail]) => [index, { kind: 'refused', reason, detail } as const]),
    )
    let sequence = reply.first
    let event = 0
    let exception = 0
    for (const [index, count] of counts.entries()) {
      const refusal = refused.get(index)
      if (refusal !== undefined) {
        results[index] = refusal
        event += count
        continue
      }
      const events = new Array<AppendResult>(count)
      for (let position = 0; position < count; position++, event++) {
        if (reply.exceptions[exception] === event) {
          const status = reply.exceptions[exception + 1] === conflict ? 'conflict' : 'duplicate'
          events[position] = { status, sequence: reply.exceptions[exception + 2] as Sequence }
          exception += 3
          continue
        }
        tail.add(sequence, written.appendedAt, written.fields, event * fieldsPerEvent, written.sizes[event] as number)
        events[position] = { status: 'stored', sequence: sequence++ }
      }
      results[index] = { kind: 'ok', events, durability }
    }
    onHead(reply.head)
    let from = 0
    for (const member of members) {
      member.resolve(results.slice(from, from + member.commits.length))
      from += member.commits.length
    }
  }

  return {
    commit(commits) {
      return new Promise((resolve, reject) => {
        const events = commits.reduce((sum, commit) => sum + (commit.events?.length ?? 0), 0)
        waiting.push({ commits, events, resolve, reject })
        schedule()
      })
    },
    drain() {
      return new Promise((resolve) => {
        if (groups === 0 && waiting.length === 0) resolve()
        else drained.push(resolve)
      })
    },
  }
}

function extraOf({ streams, expect, cursor, ledgers }: Commit): WireExtra | undefined {
  if (streams === undefined && expect === undefined && cursor === undefined && ledgers === undefined) return undefined
  return { streams, expect, cursor, ledgers: ledgers?.map(encodeChange) }
}
