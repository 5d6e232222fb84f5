import { AppError } from '../../core/errors.ts'
import type { Sequence } from '../../core/event.ts'
import type { AppendResult, Commit, CommitResult, Durability } from '../../plugin/store.ts'
import { type Gathered, gather, shareOf, type Waiting } from './gather.ts'
import type { Port } from './port.ts'
import { conflict, type GroupReply } from './protocol.ts'
import { fieldsPerEvent } from './record.ts'
import type { Tail } from './tail.ts'
import type { WriterOperations } from './writer-operations.ts'

/** While one transaction syncs the next is already with the writer; a third gathers. */
const mostGroups = 2
/**
 * A second group goes out only with this many events: below, sync and hand-over cost more than its events. With 64 in place
 * of 24, as many connections that post single events all waited for one transaction: a seventh fewer requests.
 */
const leastForSecond = 24

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
  let waitingEvents = 0
  let groups = 0
  let scheduled = false

  const schedule = (): void => {
    if (scheduled || waiting.length === 0 || !mayGo()) return
    scheduled = true
    // One turn of the event loop later: all that is handed in within this turn shares a transaction.
    setImmediate(() => {
      scheduled = false
      while (waiting.length > 0 && mayGo()) {
        const group = gather(waiting, shareOf(waitingEvents, groups === 0))
        waitingEvents = waiting.length === 0 ? 0 : waitingEvents - group.sizes.length
        if (group.members.length > 0) send(group)
      }
    })
  }

  const mayGo = (): boolean => groups === 0 || (groups < mostGroups && waitingEvents >= leastForSecond)

  const send = (group: Gathered): void => {
    groups++
    const appendedAt = now()
    const { members, fields, counts, extras } = group
    writer
      .call('group', { appendedAt, fields, counts, extras })
      .then((reply) => {
        answer(group, appendedAt, reply)
        onLog(reply.logPages)
      })
      .catch((error: unknown) => {
        // What SQLite cannot take is one caller's fault and was rolled back: each is tried again on its own.
        const isOnesFault = error instanceof AppError && error.code === 'internal' && members.length > 1
        if (isOnesFault) for (const member of members) send(gather([member]))
        else for (const member of members) member.reject(error)
      })
      .finally(() => {
        groups--
        schedule()
        if (groups > 0 || waiting.length > 0) return
        for (const resolve of drained.splice(0)) resolve()
        onIdle()
      })
  }

  const answer = ({ members, counts, fields, sizes }: Gathered, appendedAt: number, reply: GroupReply): void => {
    const results = new Array<CommitResult>(counts.length)
    let sequence = reply.first
    let event = 0
    // Both lists are in the order of the group.
    let exception = 0
    let refusal = 0
    for (let index = 0; index < counts.length; index++) {
      const count = counts[index] as number
      const refused = reply.refused[refusal]
      if (refused?.[0] === index) {
        const [, reason, detail, version] = refused
        results[index] = { kind: 'refused', reason, detail, version }
        refusal += 1
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
        tail.add(sequence, appendedAt, fields, event * fieldsPerEvent, sizes[event] as number)
        events[position] = { status: 'stored', sequence: sequence++ }
      }
      results[index] = { kind: 'ok', events, durability }
    }
    for (let at = 0; at < reply.versions.length; at += 2) {
      const index = reply.versions[at] as number
      results[index] = { ...(results[index] as CommitResult & { kind: 'ok' }), version: reply.versions[at + 1] }
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
        waitingEvents += events
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
