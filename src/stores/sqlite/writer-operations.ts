import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../core/event.ts'
import { anchorEveryMs, writeAnchor } from './anchor.ts'
import { createCheckpoint, pagesBeforeCheckpoint } from './checkpoint.ts'
import { applyGroup, type CommitStatements, prepareCommits } from './commit-group.ts'
import { setDurability } from './database.ts'
import { takeLock } from './lock.ts'
import type { GroupReply, WireGroup, WireLedger, WriterData, WriterOpened } from './protocol.ts'
import { lastBefore, pruneEvents, pruneHistory, pruneMarks } from './prune.ts'
import { inTransaction } from './transaction.ts'
import { openWriterState, type WriterState } from './writer-state.ts'

interface Live {
  readonly state: WriterState
  readonly commits: CommitStatements
  readonly checkpoint: ReturnType<typeof createCheckpoint>
}

export interface WriterOperations {
  open(): WriterOpened
  group(group: WireGroup): GroupReply & { readonly logPages: number }
  mark(subscription: string, partition: number, epoch: number, mark: string | null): void
  openLedgers(
    wanted: readonly { subscription: string; partition: number; initial: string }[],
    owner: string,
  ): WireLedger[]
  /** Call until true. */
  dropLedger(subscription: string): boolean
  replaceLedger(subscription: string, by: string, owner: string): WireLedger
  find(source: string, id: string): Sequence
  setState(source: string, key: string, value: string, at: number): void
  deleteState(source: string, key: string | undefined): void
  deleteStateBefore(source: string, timeMs: number): number
  /** Call until the oldest kept sequence is beyond `through`. */
  pruneEvents(through: Sequence): Sequence
  pruneDedup(beforeMs: number): number
  /** Call until 0. */
  pruneHistory(beforeMs: number): number
  checkWritable(): void
  /** Moves what the checkpoint thread left of the write-ahead log. */
  finishCheckpoint(): void
  /** Background work for an idle moment: sealing, merging, removing what is left over, moving the write-ahead log. True when there is more. */
  tidy(): boolean
  close(): void
}

/** What the writer thread does. Everything is synchronous, so one operation ends before the next begins. */
export function createWriter(data: WriterData): WriterOperations {
  const { path } = data.database
  const lock = takeLock(path)
  let live: Live | undefined
  let isClosed = false

  const reopen = (): Live => {
    const state = openWriterState(data)
    return { state, commits: prepareCommits(state.database), checkpoint: createCheckpoint(state.database) }
  }
  const current = (): Live => {
    live ??= reopen()
    return live
  }

  /** After a failure memory may be ahead of the disk: it is thrown away and read again with the next operation. */
  const write = <T>(doing: string, work: (live: Live) => T): T => {
    const now = current()
    try {
      return inTransaction(now.state.database, `${doing} in ${path}`, () => work(now))
    } catch (error) {
      live = undefined
      closeQuietly(now.state.database)
      throw error
    }
  }

  /** Without a sync: what it writes must survive this process, not a power cut. */
  const writeUnsynced = <T>(doing: string, work: (live: Live) => T): T => {
    const { database } = current().state
    database.exec('PRAGMA synchronous = NORMAL')
    try {
      return write(doing, work)
    } finally {
      if (live !== undefined) setDurability(live.state.database, data.database)
    }
  }

  // Under `process` a power cut may take acknowledged events: an anchor that was synced would accuse an honest store.
  const isAnchored = data.database.durability === 'disk'
  let anchored = -1
  let anchoredAt = Number.NEGATIVE_INFINITY
  const anchor = (): void => {
    const head = live?.state.appender.head()
    if (!isAnchored || live === undefined || head === undefined || head === anchored) return
    anchoredAt = performance.now()
    try {
      writeAnchor(path, { incarnation: live.state.incarnation, head })
      anchored = head
    } catch {
      // An anchor that is behind accuses nobody; what is wrong with the disk shows with the next commit.
    }
  }

  return {
    open() {
      const { state } = current()
      return { incarnation: state.incarnation, head: state.appender.head(), oldest: state.oldest }
    },
    group(group) {
      const reply = write('committing events and ledgers', ({ state, commits }) => applyGroup(state, commits, group))
      // After the answer has left, before the next group begins.
      if (performance.now() - anchoredAt >= anchorEveryMs) setImmediate(anchor)
      return { ...reply, logPages: live?.checkpoint.pending() ?? 0 }
    },
    mark: (subscription, partition, epoch, mark) =>
      writeUnsynced('writing a suspect mark', ({ state }) =>
        state.ledgers.setMark(subscription, partition, epoch, mark),
      ),
    openLedgers: (wanted, owner) => write('opening ledgers', ({ state }) => state.ledgers.open(wanted, owner)),
    dropLedger: (subscription) => writeUnsynced('dropping a ledger', ({ state }) => state.ledgers.drop(subscription)),
    replaceLedger: (subscription, by, owner) =>
      write('replacing a ledger', ({ state }) => state.ledgers.replace(subscription, by, owner)),
    find(source, id) {
      const { dedup } = current().state
      return dedup.find(dedup.hash(source, id))
    },
    setState: (source, key, value, at) =>
      write('writing state', ({ state }) => {
        state.database
          .prepare('INSERT OR REPLACE INTO state (source, key, value, at) VALUES (?, ?, ?, ?)')
          .run(source, key, value, at)
      }),
    deleteState: (source, key) =>
      write('deleting state', ({ state: { database } }) => {
        if (key === undefined) database.prepare('DELETE FROM state WHERE source = ?').run(source)
        else database.prepare('DELETE FROM state WHERE source = ? AND key = ?').run(source, key)
      }),
    deleteStateBefore: (source, timeMs) =>
      write('deleting state', ({ state }) =>
        Number(state.database.prepare('DELETE FROM state WHERE source = ? AND at < ?').run(source, timeMs).changes),
      ),
    pruneEvents: (through) =>
      writeUnsynced('removing old events', ({ state }) => {
        state.oldest = pruneEvents(state.database, state.oldest, Math.min(through, state.appender.head()))
        return state.oldest
      }),
    pruneDedup: (beforeMs) =>
      writeUnsynced('forgetting old identities', ({ state }) => {
        const { database, dedup } = state
        const forgotten = dedup.forget(lastBefore(database, state.appender.head(), state.oldest, beforeMs))
        dedup.work(4096)
        pruneMarks(database, Math.min(dedup.forgottenThrough(), state.oldest - 1))
        return forgotten
      }),
    pruneHistory: (beforeMs) =>
      writeUnsynced('removing old history', ({ state }) => pruneHistory(state.database, beforeMs)),
    checkWritable() {
      writeUnsynced('checking that the store can be written', ({ state }) => {
        state.database.exec(
          "INSERT OR REPLACE INTO meta (key, value) SELECT 'probe', ifnull(max(value), 0) + 1 FROM meta WHERE key = 'probe'",
        )
      })
    },
    finishCheckpoint() {
      current().checkpoint.run()
    },
    tidy() {
      const { state, checkpoint } = current()
      anchor()
      if (state.dedup.isBehind()) {
        writeUnsynced('sorting identities', () => state.dedup.work(8192))
      }
      const hasLeavings = state.ledgers.hasLeavings() && writeUnsynced('clearing', () => state.ledgers.clearLeavings())
      if (checkpoint.pending() > pagesBeforeCheckpoint) checkpoint.run()
      return hasLeavings || (live?.state.dedup.isBehind() ?? false)
    },
    close() {
      if (isClosed) return
      isClosed = true
      anchor()
      live?.state.database.close()
      lock.release()
    },
  }
}

function closeQuietly(database: DatabaseSync): void {
  try {
    database.close()
  } catch {
    // The failure that led here is the one to report.
  }
}
