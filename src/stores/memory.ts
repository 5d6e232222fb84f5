import { AppError } from '../core/errors.ts'
import type { Platform } from '../core/platform.ts'
import { defineStore } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import type { Commit, CommitResult, Store } from '../plugin/store.ts'
import { MemoryLedgers } from './memory/ledgers.ts'
import { MemoryLog } from './memory/log.ts'
import { createSourceState } from './memory/source-state.ts'
import { createWaitList } from './memory/wait-list.ts'

/** Keeps everything in this process: for tests and for what need not survive it. Never creates a file. */
export const memory = defineStore({
  name: 'memory',
  summary: 'Keeps everything in memory; nothing survives the process.',
  options: schema.strictObject({}).optional(),
  example: {},
  open: async (_options, { platform }) => openMemoryStore(platform),
})

function openMemoryStore(platform: Platform): Store {
  const log = new MemoryLog()
  const ledgers = new MemoryLedgers()
  const cursors = new Map<string, string>()
  const waiting = createWaitList()
  let isClosed = false

  const checkOpen = (doing: string): void => {
    if (isClosed)
      throw new AppError('store-closed', `cannot ${doing}: the memory store is closed; open a pipeline again`)
  }
  // Every method is refused after close in one way, and a throw becomes a rejection.
  const guarded =
    <Args extends unknown[], T>(doing: string, run: (...args: Args) => T | Promise<T>) =>
    async (...args: Args): Promise<T> => {
      checkOpen(doing)
      return run(...args)
    }
  const state = createSourceState(() => platform.clock.now())
  const commitOne = (commit: Commit) => applyCommit(commit, log, ledgers, cursors, platform.clock.now())

  return {
    type: 'memory',
    incarnation: platform.id(),
    durability: 'memory',
    capabilities: { atomic: 'commit', isPersistent: false },
    head: () => log.head,
    oldest: () => log.oldest,
    commit: guarded('write', (commits) => {
      const before = log.head
      const results = commits.map(commitOne)
      if (log.head > before) waiting.wake()
      return results
    }),
    mark: guarded('write a mark', (subscription, partition, epoch, mark) => {
      const refusal = ledgers.refusal(subscription, partition, epoch)
      if (refusal !== undefined) throw new AppError('state-conflict', `cannot write a mark: ${refusal}`)
      ledgers.apply({ subscription, partition, epoch, mark })
    }),
    read: guarded('read', (after, limit) => log.read(after, limit)),
    readMany: guarded('read', (sequences) => log.readMany(sequences)),
    find: guarded('read', (source, id) => log.find(source, id)),
    sequenceAt: guarded('read', (timeMs) => log.sequenceAt(timeMs)),
    query: guarded('search', (query) => log.query(query)),
    readStream: guarded('read', (stream, afterVersion, limit) => log.readStream(stream, afterVersion, limit)),
    versionAt: guarded('read', (stream, sequence) => log.versionAt(stream, sequence)),
    openLedger: guarded('open a ledger', (subscription, partition, owner, initial) =>
      ledgers.open(subscription, partition, owner, initial),
    ),
    openLedgers: guarded('open ledgers', (wanted, owner) =>
      wanted.map(({ subscription, partition, initial }) => ledgers.open(subscription, partition, owner, initial)),
    ),
    ledgers: guarded('list ledgers', () => ledgers.records()),
    dropLedger: guarded('drop a ledger', (subscription) => ledgers.drop(subscription)),
    replaceLedger: guarded('replace a ledger', (subscription, by, owner) => ledgers.replace(subscription, by, owner)),
    rows: guarded('read rows', (subscription, query) => ledgers.rows(subscription, query)),
    nextDue: guarded('read rows', (subscription) => ledgers.nextDue(subscription)),
    held: guarded('read rows', (subscription) => ledgers.held(subscription)),
    kept: guarded('read what stages keep', (subscription, query) => ledgers.kept(subscription, query)),
    keptStages: guarded('read what stages keep', (subscription) => ledgers.keptStages(subscription)),
    batches: guarded('read batches', (subscription) => ledgers.batches(subscription)),
    dead: guarded('read dead letters', (subscription, query) => ledgers.dead(subscription, query)),
    history: guarded('read history', (subscription, query) => ledgers.history(subscription, query)),
    historyBase: guarded('read history', (subscription) => ledgers.historyBase(subscription)),
    cursor: guarded('read a cursor', (source) => cursors.get(source)),
    state: {
      get: guarded('read source state', state.get),
      set: guarded('write source state', state.set),
      delete: guarded('write source state', state.delete),
      deleteOlderThan: guarded('write source state', state.deleteOlderThan),
      list: guarded('read source state', state.list),
    },
    wait: guarded('wait', async (after, signal) => {
      while (log.head <= after && !signal.aborted && !isClosed) await waiting.add(signal)
    }),
    prune: guarded('prune', ({ events, dedupBeforeMs, historyBeforeMs }) => ({
      events: events === undefined ? 0 : log.pruneEvents(events),
      dedup: dedupBeforeMs === undefined ? 0 : log.pruneKnown(dedupBeforeMs),
      history: historyBeforeMs === undefined ? 0 : ledgers.pruneHistory(historyBeforeMs),
    })),
    size: guarded('measure', () => ({
      events: log.count,
      bytes: 0,
      oldest: log.oldest,
      head: log.head,
      oldestAt: log.at(log.oldest)?.record.appendedAt,
    })),
    backup: guarded('back up', (): void => {
      throw new AppError(
        'state-conflict',
        'cannot back up the memory store: it has no file to copy; use a store of type sqlite for data that must be kept',
      )
    }),
    verify: guarded('verify', (onProgress) => {
      const problems = log.verify()
      onProgress?.(log.count, log.count)
      return { ok: problems.length === 0, events: log.count, problems: problems.slice(0, 100) }
    }),
    checkWritable: guarded('write', () => undefined),
    close: async () => {
      isClosed = true
      waiting.wake()
    },
  }
}

/** Decides first and then changes everything, so that a refused commit leaves nothing behind. */
function applyCommit(
  commit: Commit,
  log: MemoryLog,
  ledgers: MemoryLedgers,
  cursors: Map<string, string>,
  now: number,
): CommitResult {
  const { events = [], streams = [], expect, cursor, ledgers: changes = [] } = commit
  for (const { subscription, partition, epoch } of changes) {
    const detail = ledgers.refusal(subscription, partition, epoch)
    if (detail !== undefined) return { kind: 'refused', reason: 'stale-epoch', detail }
  }
  if (expect !== undefined) {
    const version = log.version(expect.stream)
    if (expect.version !== undefined && version !== expect.version) {
      const detail = `the stream ${expect.stream} is at version ${version}, expected ${expect.version}`
      return { kind: 'refused', reason: 'expect', detail, version }
    }
  }
  const plan = log.plan(events, streams, now)
  if (expect !== undefined && plan.stored.length < events.length) {
    const known = plan.results.findIndex(({ status }) => status !== 'stored')
    return { kind: 'refused', reason: 'known', detail: `event ${known} of the commit is there already` }
  }
  log.apply(plan)
  if (cursor !== undefined) cursors.set(cursor.source, cursor.value)
  for (const change of changes) ledgers.apply(change)
  const result = { kind: 'ok', events: plan.results, durability: 'memory' } as const
  return expect === undefined ? result : { ...result, version: log.version(expect.stream) }
}
