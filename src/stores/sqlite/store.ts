import { AppError } from '../../core/errors.ts'
import type { Event, Sequence } from '../../core/event.ts'
import type { EventPage, EventQuery, Store } from '../../plugin/store.ts'
import type { GroupCommit } from './group-commit.ts'
import type { Heads } from './heads.ts'
import type { Port } from './port.ts'
import type { ReaderOperations } from './reader-operations.ts'
import { decodeBatch, decodeDead, decodeDelivery, decodeHeld, decodeHistory, decodeKept, decodeLedger } from './rows.ts'
import { decodeEvents, type Tail } from './tail.ts'
import type { WriterOperations } from './writer-operations.ts'

/** What the methods of a store are made of. */
export interface StoreParts {
  readonly path: string
  readonly heads: Heads
  readonly tail: Tail
  readonly now: () => number
  /** Throws `store-closed` after close. */
  readonly reader: () => Port<ReaderOperations>
  /** Throws `store-readonly` for a store opened for reading, `store-closed` after close. */
  readonly writer: () => Port<WriterOperations>
  readonly group: GroupCommit | undefined
  /** Brings `heads` up to date where another process writes; nothing where we do. */
  readonly refresh: () => Promise<void>
}

type Reads = Pick<Store, 'read' | 'readMany' | 'find' | 'sequenceAt' | 'query' | 'readStream' | 'versionAt' | 'size'>
type Ledgers = Pick<
  Store,
  | 'openLedger'
  | 'openLedgers'
  | 'ledgers'
  | 'dropLedger'
  | 'replaceLedger'
  | 'rows'
  | 'nextDue'
  | 'held'
  | 'batches'
  | 'kept'
  | 'keptStages'
  | 'dead'
  | 'history'
  | 'historyBase'
>
type Writes = Pick<Store, 'commit' | 'mark' | 'cursor' | 'state' | 'prune' | 'checkWritable'>

/** The log: the newest events from the tail, older ones through the reader thread. */
export function logReads({ heads, tail, reader, writer, refresh }: StoreParts): Reads {
  const cold = async (sequences: readonly Sequence[]): Promise<Event[]> => {
    const events: Event[] = []
    // In slices, so that no answer and no snapshot is long.
    for (let at = 0; at < sequences.length; at += 500) {
      events.push(...decodeEvents(await reader().call('many', sequences.slice(at, at + 500))))
    }
    return events
  }
  return {
    async read(after, limit) {
      await refresh()
      const from = Math.max(after, heads.oldest() - 1)
      if (from >= heads.head() || limit <= 0) return []
      if (from + 1 < tail.first()) return decodeEvents(await reader().call('read', from, heads.head(), limit))
      const last = Math.min(heads.head(), from + limit)
      const events: Event[] = []
      for (let sequence = from + 1; sequence <= last; sequence++) {
        const event = tail.get(sequence)
        if (event === undefined) break
        events.push(event)
      }
      return events
    },
    async readMany(sequences) {
      await refresh()
      const wanted = [...new Set(sequences)]
        .filter((one) => one >= heads.oldest() && one <= heads.head())
        .sort((a, b) => a - b)
      const older = wanted.filter((sequence) => sequence < tail.first())
      const recent = wanted.slice(older.length).flatMap((sequence) => tail.get(sequence) ?? [])
      return older.length === 0 ? recent : [...(await cold(older)), ...recent]
    },
    async find(source, id) {
      const sequence = await writer().call('find', source.toWellFormed(), id.toWellFormed())
      return sequence === 0 ? undefined : sequence
    },
    async sequenceAt(timeMs) {
      await refresh()
      return reader().call('sequenceAt', timeMs, heads.oldest(), heads.head())
    },
    async query(query) {
      await refresh()
      return runQuery(reader(), query, heads.head())
    },
    async readStream(stream, afterVersion, limit) {
      await refresh()
      const kept = [heads.oldest(), heads.head()] as const
      const { version, versions, values } = await reader().call('stream', stream, afterVersion, kept, limit)
      return { version, events: decodeEvents(values).map((event, at) => ({ version: versions[at]!, event })) }
    },
    async versionAt(stream, sequence) {
      await refresh()
      return reader().call('versionAt', stream, Math.min(sequence, heads.head()))
    },
    async size() {
      await refresh()
      const { bytes, oldestAt } = await reader().call('size')
      const [oldest, head] = [heads.oldest(), heads.head()]
      return { events: head - oldest + 1, bytes, oldest, head, ...(oldestAt === undefined ? {} : { oldestAt }) }
    },
  }
}

async function runQuery(reader: Port<ReaderOperations>, query: EventQuery, head: Sequence): Promise<EventPage> {
  const { type, limit } = query
  const page = await reader.call('query', {
    after: query.after ?? 0,
    before: query.before,
    head,
    limit: Math.min(Math.max(1, limit), 1000),
    types: type,
    source: query.source,
    subject: query.subject,
    id: query.id,
    sinceMs: query.sinceMs,
    untilMs: query.untilMs,
  })
  const events = decodeEvents(page.values)
  return page.next === undefined ? { events } : { events, next: page.next }
}

/** Ledgers: opened and dropped by the writer, read by the reader, which sees every commit that was answered. */
export function ledgerMethods({ reader, writer }: StoreParts): Ledgers {
  const openLedgers: Store['openLedgers'] = async (wanted, owner) => {
    const ledgers = wanted.map(({ subscription, partition, initial }) => ({
      subscription,
      partition,
      initial: JSON.stringify(initial),
    }))
    return (await writer().call('openLedgers', ledgers, owner)).map(decodeLedger)
  }
  return {
    openLedgers,
    async openLedger(subscription, partition, owner, initial) {
      const [opened] = await openLedgers([{ subscription, partition, initial }], owner)
      if (opened === undefined)
        throw new AppError('internal', `opening the ledger of "${subscription}": the store answered nothing`)
      return opened
    },
    ledgers: async () => (await reader().call('ledgers')).map(decodeLedger),
    async dropLedger(subscription) {
      while (!(await writer().call('dropLedger', subscription))) {
        // Commits go in between the slices.
      }
    },
    replaceLedger: async (subscription, by, owner) =>
      decodeLedger(await writer().call('replaceLedger', subscription, by, owner)),
    rows: async (subscription, query) => (await reader().call('rows', subscription, query)).map(decodeDelivery),
    nextDue: async (subscription) => (await reader().call('nextDue', subscription)) ?? undefined,
    held: async (subscription) => (await reader().call('held', subscription)).map(decodeHeld),
    kept: async (subscription, query) => (await reader().call('kept', subscription, query)).map(decodeKept),
    keptStages: (subscription) => reader().call('keptStages', subscription),
    batches: async (subscription) => (await reader().call('batches', subscription)).map(decodeBatch),
    dead: async (subscription, query) => (await reader().call('dead', subscription, query)).map(decodeDead),
    async history(subscription, query) {
      const found = (await reader().call('history', subscription, query)).map(decodeHistory)
      const rows = found.map(({ row }) => row)
      const next = found.at(-1)?.place
      return found.length < query.limit || next === undefined ? { rows } : { rows, next }
    },
    async historyBase(subscription) {
      return Object.fromEntries((await reader().call('historyBase', subscription)) as [string, number][])
    },
  }
}

/** Commits, marks, cursors, state, retention. */
export function writeMethods({ group, heads, now, path, reader, writer }: StoreParts): Writes {
  return {
    // Not an async function: each of these is a promise less for every event that comes alone.
    commit(commits) {
      try {
        writer()
      } catch (error) {
        return Promise.reject(error)
      }
      if (group === undefined) return Promise.reject(readOnlyError(path))
      return commits.length === 0 ? Promise.resolve([]) : group.commit(commits)
    },
    async mark(subscription, partition, epoch, mark) {
      await writer().call('mark', subscription, partition, epoch, mark === null ? null : JSON.stringify(mark))
    },
    cursor: async (source) => reader().call('cursor', source),
    state: {
      get: async (source, key) => reader().call('getState', source, key),
      set: async (source, key, value) => writer().call('setState', source, key, value, now()),
      delete: async (source, key) => writer().call('deleteState', source, key),
      deleteOlderThan: async (source, timeMs) => writer().call('deleteStateBefore', source, timeMs),
      async list(source, prefix = '') {
        const rows = (await reader().call('listState', source, prefix)) as [string, string][]
        return rows.map(([key, value]) => ({ key, value }))
      },
    },
    async prune({ events: through, dedupBeforeMs, historyBeforeMs }) {
      const removed = { events: 0, dedup: 0, history: 0 }
      // Identities first: exact times are on the rows.
      if (dedupBeforeMs !== undefined) removed.dedup = await writer().call('pruneDedup', dedupBeforeMs)
      const target = Math.min(through ?? 0, heads.head())
      while (heads.oldest() <= target) {
        const oldest = await writer().call('pruneEvents', target)
        removed.events += oldest - heads.oldest()
        heads.moveOldest(oldest)
      }
      if (historyBeforeMs !== undefined) {
        for (let count = 1; count > 0; removed.history += count)
          count = await writer().call('pruneHistory', historyBeforeMs)
      }
      return removed
    },
    async checkWritable() {
      await writer().call('checkWritable')
    },
  }
}

export function readOnlyError(path: string): AppError {
  return new AppError(
    'store-readonly',
    `writing to ${path}: it was opened read-only. Open it without readOnly, or use the server of the process that owns it.`,
  )
}
