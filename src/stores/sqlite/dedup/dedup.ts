import { randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { Sequence } from '../../../core/event.ts'
import { prepareRows, scalar } from '../database.ts'
import { visitLog } from './dedup-log.ts'
import { mayContain } from './filter.ts'
import { KeyTable } from './key-table.ts'
import { findInRun, loadRuns, prepareRuns, type Run, RunCursor, RunWriter, removeRun, wordsPerKey } from './run.ts'
import { Screen } from './screen.ts'
import { createPairHash, type Hash128 } from './sip-hash.ts'

export interface DedupOptions {
  /** Keys held in memory before they are sealed into a run; a power of two. */
  readonly recentKeys: number
  /** So many runs of one tier are merged into one of the next. */
  readonly fanIn: number
}

/** 24 MiB of table. Fewer means more runs to ask, more means slower opening. */
export const defaultDedup: DedupOptions = { recentKeys: 2 ** 19, fanIn: 4 }

/** Runs of the last tier (32 million keys with the defaults) are not merged: whole runs are what forgetting drops. */
const lastTier = 3

interface Frozen {
  readonly table: KeyTable
  readonly first: Sequence
  readonly last: Sequence
}

/**
 * Which (source, id) are in the log, exactly. A key is a keyed 128-bit hash. New keys are in a table in memory and, as one
 * row of hashes per commit, in `dedup_log`, from which opening rebuilds the table. A full table is frozen, written out as a
 * sorted run (sealed), and its log rows are deleted; runs of a tier are merged into one of the next. All of that happens in
 * slices inside the transactions of commits (`work`), so it is as durable as they are and costs no sync of its own.
 *
 * The caller owns the transaction. When it does not commit, this object is ahead of the disk and must be opened anew.
 */
export interface Dedup {
  /** Hashes into a buffer that the next call overwrites. */
  hash(source: string, id: string): Hash128
  /** Looks at the pairs of a group before they come one by one: see `Screen`. */
  screen(values: readonly unknown[], width: number): void
  /** The hash of a pair of the last screen, in the buffer of `hash`. */
  screened(index: number): Hash128
  /** The sequence under which the key is stored; 0 when it is not. `index`: which of the screened pairs it is. */
  find(hash: Hash128, index?: number): Sequence
  /** Remembers a key; sequences must follow one another. */
  add(hash: Hash128, sequence: Sequence): void
  /** Writes the hashes added since the last flush. Called before COMMIT. */
  flush(): void
  /** Does about so many keys' worth of sealing, merging and deleting. */
  work(budget: number): void
  /** True when `work` has something to do. */
  isBehind(): boolean
  /** Forgets keys at or below a sequence; whole runs are deleted later, in slices. Answers how many keys are newly out of sight. */
  forget(through: Sequence): number
  forgottenThrough(): Sequence
  stats(): {
    readonly recent: number
    readonly frozen: number
    readonly runs: readonly { readonly tier: number; readonly keys: number }[]
  }
}

export function openDedup(database: DatabaseSync, options: DedupOptions): Dedup {
  const statements = prepareRuns(database)
  const addLog = database.prepare('INSERT INTO dedup_log (first, hashes) VALUES (?, ?)')
  const trimLog = database.prepare(
    'DELETE FROM dedup_log WHERE first IN (SELECT first FROM dedup_log WHERE first <= ? ORDER BY first LIMIT 500)',
  )
  const setForgotten = database.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES ('forgotten', ?)")
  const pairHash = createPairHash(storedKey(database))
  const screen = new Screen(pairHash)

  const runs = loadRuns(database)
  const leftovers = prepareRows(database, "SELECT run FROM dedup_runs WHERE state <> 'live'").all() as unknown as [
    number,
  ][]
  const dying = leftovers.map(([run]) => run)
  let nextRun = (scalar(database, 'SELECT max(run) FROM dedup_runs') ?? 0) + 1
  let forgotten = scalar(database, "SELECT value FROM meta WHERE key = 'forgotten'") ?? 0
  let sealedThrough = runs.reduce((last, run) => Math.max(last, run.last), 0)
  let isLogTrimmed = (scalar(database, 'SELECT min(first) FROM dedup_log') ?? Number.MAX_SAFE_INTEGER) > sealedThrough
  const frozen: Frozen[] = []
  let recent = new KeyTable(options.recentKeys)
  let recentFirst: Sequence = 0
  let recentLast: Sequence = 0
  let sealing: Iterator<number, void> | undefined
  let job: Iterator<number, void> | undefined

  const hashed: Hash128 = new Uint32Array(4)
  let pending = new Uint32Array(4096)
  let pendingWords = 0
  let pendingFirst: Sequence = 0

  const remember = (hash: Hash128, sequence: Sequence): void => {
    if (recent.isFull) {
      flush()
      frozen.push({ table: recent, first: recentFirst, last: recentLast })
      recent = new KeyTable(options.recentKeys)
    }
    if (recent.count === 0) recentFirst = sequence
    recent.add(hash, sequence)
    recentLast = sequence
  }

  function flush(): void {
    if (pendingWords === 0) return
    addLog.run(pendingFirst, new Uint8Array(pending.buffer, 0, pendingWords * 4))
    pendingWords = 0
  }

  function* seal(table: Frozen): Generator<number, void> {
    const { first, last } = table
    const writer = new RunWriter(statements, { run: nextRun++, tier: 0, first, last }, table.table.count)
    for (let slot = 0; slot !== -1; ) {
      slot = table.table.visitSorted(slot, 512, writer)
      yield 512
    }
    runs.push(yield* writer.finish())
    frozen.shift()
    sealedThrough = table.last
    isLogTrimmed = false
  }

  function* merge(inputs: readonly Run[]): Generator<number, void> {
    const about = {
      run: nextRun++,
      tier: (inputs[0] as Run).tier + 1,
      first: Math.min(...inputs.map((run) => run.first)),
      last: Math.max(...inputs.map((run) => run.last)),
    }
    const mostKeys = inputs.reduce((sum, run) => sum + run.keys, 0)
    const writer = new RunWriter(statements, about, mostKeys)
    const cursors = inputs.map((run) => new RunCursor(statements, run))
    for (let count = 1; ; count++) {
      const least = leastOf(cursors)
      if (least?.words === undefined) break
      const { words, at } = least
      const sequence = (words[at + 4] as number) + (words[at + 5] as number) * 0x100000000
      if (sequence > forgotten) {
        writer.add(
          words[at] as number,
          words[at + 1] as number,
          words[at + 2] as number,
          words[at + 3] as number,
          sequence,
        )
      }
      least.next()
      if (count % 512 === 0) yield 512
    }
    const merged = yield* writer.finish()
    runs.splice(runs.indexOf(inputs[0] as Run), 0, merged)
    retire(inputs)
  }

  function retire(gone: readonly Run[]): void {
    for (const run of gone) {
      runs.splice(runs.indexOf(run), 1)
      statements.setRun.run('dying', run.keys, run.pages, run.run)
      dying.push(run.run)
    }
  }

  function* trim(): Generator<number, void> {
    while (Number(trimLog.run(sealedThrough).changes) > 0) yield 2000
    isLogTrimmed = true
  }

  function* remove(): Generator<number, void> {
    yield* removeRun(statements, dying[0] as number)
    dying.shift()
  }

  const mergeable = (): Run[] | undefined => {
    for (let tier = 0; tier < lastTier; tier++) {
      const same = runs.filter((run) => run.tier === tier)
      if (same.length >= options.fanIn) return same.slice(0, options.fanIn)
    }
    return undefined
  }

  const nextJob = (): Generator<number, void> | undefined => {
    if (!isLogTrimmed) return trim()
    if (dying.length > 0) return remove()
    const inputs = mergeable()
    return inputs === undefined ? undefined : merge(inputs)
  }

  visitLog(database, sealedThrough, remember)

  return {
    hash(source, id) {
      pairHash(source, id, hashed)
      return hashed
    },
    screen: (values, width) => screen.fill(values, width, runs),
    screened(index) {
      screen.read(index, hashed)
      return hashed
    },
    find(hash, index) {
      const inRecent = recent.find(hash, forgotten)
      if (inRecent !== 0) return inRecent
      for (const { table } of frozen) {
        const found = table.find(hash, forgotten)
        if (found !== 0) return found
      }
      if (index !== undefined && !screen.mayBeInRuns(index)) return 0
      for (let at = runs.length - 1; at >= 0; at--) {
        const run = runs[at] as Run
        if (!mayContain(run.filter, hash, 0)) continue
        const found = findInRun(statements, run, hash, forgotten)
        if (found !== 0) return found
      }
      return 0
    },
    add(hash, sequence) {
      remember(hash, sequence)
      if (pendingWords === 0) pendingFirst = sequence
      if (pendingWords + 4 > pending.length) {
        const larger = new Uint32Array(pending.length * 2)
        larger.set(pending)
        pending = larger
      }
      pending[pendingWords] = hash[0] as number
      pending[pendingWords + 1] = hash[1] as number
      pending[pendingWords + 2] = hash[2] as number
      pending[pendingWords + 3] = hash[3] as number
      pendingWords += 4
    },
    flush,
    work(budget) {
      for (let left = budget; left > 0; ) {
        // Sealing goes before a merge that is under way, too: it is what bounds memory, and how long opening takes.
        if (frozen[0] !== undefined) sealing ??= seal(frozen[0])
        const isSealing = sealing !== undefined
        if (!isSealing) job ??= nextJob()
        const step = (sealing ?? job)?.next()
        if (step === undefined) return
        if (step.done !== true) left -= step.value
        else if (isSealing) sealing = undefined
        else job = undefined
      }
    },
    isBehind: () =>
      job !== undefined || frozen.length > 0 || !isLogTrimmed || dying.length > 0 || mergeable() !== undefined,
    forget(through) {
      if (through <= forgotten) return 0
      const count = through - forgotten
      forgotten = through
      setForgotten.run(through)
      // A merge under way reads its inputs; they are dropped with the merged run, or at the next forgetting.
      if (job === undefined) retire(runs.filter((run) => run.last <= forgotten))
      return count
    },
    forgottenThrough: () => forgotten,
    stats: () => ({
      recent: recent.count,
      frozen: frozen.length,
      runs: runs.map(({ tier, keys }) => ({ tier, keys })),
    }),
  }
}

function leastOf(cursors: readonly RunCursor[]): RunCursor | undefined {
  let least: RunCursor | undefined
  for (const cursor of cursors) {
    if (cursor.words !== undefined && (least === undefined || isBefore(cursor, least))) least = cursor
  }
  return least
}

function isBefore(a: RunCursor, b: RunCursor): boolean {
  const x = a.words as Uint32Array
  const y = b.words as Uint32Array
  for (let index = 0; index < wordsPerKey; index++) {
    const difference = (x[a.at + index] as number) - (y[b.at + index] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

function storedKey(database: DatabaseSync): Uint8Array {
  const row = database.prepare("SELECT value FROM meta WHERE key = 'dedup-key'").get() as
    | { value: Uint8Array }
    | undefined
  if (row !== undefined) return row.value
  const key = new Uint8Array(randomBytes(16))
  database.prepare("INSERT INTO meta (key, value) VALUES ('dedup-key', ?)").run(key)
  return key
}
