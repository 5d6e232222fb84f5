import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { AppError } from '../../../core/errors.ts'
import type { Sequence } from '../../../core/event.ts'
import { prepareRows } from '../database.ts'
import { addToFilter, createFilter } from './filter.ts'
import type { KeySink } from './key-table.ts'
import type { Hash128 } from './sip-hash.ts'

/** A sorted, immutable set of keys on disk, with its filter and the first word of each page in memory. */
export interface Run {
  readonly run: number
  readonly tier: number
  readonly first: Sequence
  readonly last: Sequence
  readonly keys: number
  readonly pages: number
  readonly filter: Uint32Array
  readonly heads: Uint32Array
}

/** What is known of a run before it is written. */
export type RunStart = Pick<Run, 'run' | 'tier' | 'first' | 'last'>

/** Four words of hash and two of sequence. 168 of them are 4,032 bytes: two rows to a database page, none overflows. */
export const wordsPerKey = 6
export const keysPerPage = 168
const pagesPerRun = 2 ** 24
const partsPerRun = 2 ** 16
const partWords = 16_384

const pageId = (run: number, page: number): number => run * pagesPerRun + page

/** A blob as words; a copy only where it does not begin at one. */
export function wordsOf(blob: unknown): Uint32Array {
  const bytes = blob as Uint8Array
  return bytes.byteOffset % 4 === 0
    ? new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
    : new Uint32Array(bytes.slice().buffer)
}

const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength)

export interface RunStatements {
  readonly page: StatementSync
  readonly addPage: StatementSync
  readonly addPart: StatementSync
  readonly addRun: StatementSync
  readonly setRun: StatementSync
  readonly dropRun: StatementSync
  readonly dropPages: StatementSync
  readonly dropParts: StatementSync
}

export function prepareRuns(database: DatabaseSync): RunStatements {
  return {
    page: prepareRows(database, 'SELECT data FROM dedup_pages WHERE page = ?'),
    addPage: database.prepare('INSERT INTO dedup_pages (page, data) VALUES (?, ?)'),
    addPart: database.prepare('INSERT INTO dedup_parts (part, data) VALUES (?, ?)'),
    addRun: database.prepare(
      "INSERT INTO dedup_runs (run, tier, first, last, keys, pages, state) VALUES (?, ?, ?, ?, 0, 0, 'building')",
    ),
    setRun: database.prepare('UPDATE dedup_runs SET state = ?, keys = ?, pages = ? WHERE run = ?'),
    dropRun: database.prepare('DELETE FROM dedup_runs WHERE run = ?'),
    dropPages: database.prepare(
      'DELETE FROM dedup_pages WHERE page IN (SELECT page FROM dedup_pages WHERE page >= ? AND page < ? LIMIT ?)',
    ),
    dropParts: database.prepare(
      'DELETE FROM dedup_parts WHERE part IN (SELECT part FROM dedup_parts WHERE part >= ? AND part < ? LIMIT ?)',
    ),
  }
}

function readPage(statements: RunStatements, run: number, page: number): Uint32Array {
  const row = statements.page.get(pageId(run, page)) as unknown as [unknown] | undefined
  if (row === undefined) {
    throw new AppError(
      'store-corrupt',
      `looking up an event's identity: page ${page} of dedup run ${run} is missing. Run \`millrace verify\`, then restore a backup.`,
    )
  }
  return wordsOf(row[0])
}

/** Reads the live runs' filters and heads: what opening a store costs per key is two bytes. */
export function loadRuns(database: DatabaseSync): Run[] {
  const rows = prepareRows(
    database,
    "SELECT run, tier, first, last, keys, pages FROM dedup_runs WHERE state = 'live' ORDER BY last",
  ).all()
  const parts = prepareRows(database, 'SELECT data FROM dedup_parts WHERE part >= ? AND part < ? ORDER BY part')
  const size = prepareRows(database, 'SELECT total(length(data)) FROM dedup_parts WHERE part >= ? AND part < ?')
  return (rows as unknown as number[][]).map((row) => {
    const [run, tier, first, last, keys, pages] = row as [number, number, number, number, number, number]
    const range = [run * partsPerRun, (run + 1) * partsPerRun] as const
    const [bytes] = size.get(...range) as unknown as [number]
    // Copied once, to where they stay: of many keys this is most of the memory that opening takes.
    const filter = new Uint32Array(bytes / 4 - pages)
    const heads = new Uint32Array(pages)
    let at = 0
    for (const part of parts.iterate(...range)) {
      const words = wordsOf((part as unknown as [unknown])[0])
      const inFilter = Math.max(0, Math.min(words.length, filter.length - at))
      filter.set(words.subarray(0, inFilter), at)
      if (inFilter < words.length) heads.set(words.subarray(inFilter), at + inFilter - filter.length)
      at += words.length
    }
    return { run, tier, first, last, keys, pages, filter, heads }
  })
}

/** The sequence of a key in a run, greater than `after`; 0 when there is none. */
export function findInRun(statements: RunStatements, run: Run, hash: Hash128, after: Sequence): Sequence {
  const a = hash[0] as number
  let low = 0
  let high = run.heads.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((run.heads[middle] as number) < a) low = middle + 1
    else high = middle
  }
  // `low` is the first page that begins at or after the word: keys with this word may also end the page before it.
  for (let page = Math.max(0, low - 1); page < run.pages && (page < low || run.heads[page] === a); page++) {
    const found = findInPage(readPage(statements, run.run, page), hash, after)
    if (found !== 0) return found
  }
  return 0
}

function findInPage(words: Uint32Array, hash: Hash128, after: Sequence): Sequence {
  const a = hash[0] as number
  let low = 0
  let high = words.length / wordsPerKey
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((words[middle * wordsPerKey] as number) < a) low = middle + 1
    else high = middle
  }
  for (let at = low * wordsPerKey; words[at] === a; at += wordsPerKey) {
    if (words[at + 1] !== hash[1] || words[at + 2] !== hash[2] || words[at + 3] !== hash[3]) continue
    const sequence = (words[at + 4] as number) + (words[at + 5] as number) * 0x100000000
    if (sequence > after) return sequence
  }
  return 0
}

/** Reads a run from its beginning, a page at a time. */
export class RunCursor {
  /** Undefined at the end of the run. */
  words: Uint32Array | undefined
  /** Index of the current key in `words`. */
  at = 0
  readonly #statements: RunStatements
  readonly #run: Run
  #page = 0

  constructor(statements: RunStatements, run: Run) {
    this.#statements = statements
    this.#run = run
    this.words = this.#load()
  }

  next(): void {
    this.at += wordsPerKey
    if (this.words === undefined || this.at < this.words.length) return
    this.words = this.#load()
    this.at = 0
  }

  #load(): Uint32Array | undefined {
    const { run, pages } = this.#run
    return this.#page < pages ? readPage(this.#statements, run, this.#page++) : undefined
  }
}

/**
 * Writes a run: keys in order of hash, then filter and heads in parts. Every method does a bounded amount of work, so that
 * a run of millions is written in slices between commits. A run that was not finished is deleted at the next opening.
 */
export class RunWriter implements KeySink {
  readonly #statements: RunStatements
  readonly #about: RunStart
  readonly #filter: Uint32Array
  readonly #heads: number[] = []
  readonly #buffer = new Uint32Array(keysPerPage * wordsPerKey)
  #filled = 0
  #keys = 0

  constructor(statements: RunStatements, about: RunStart, mostKeys: number) {
    this.#statements = statements
    this.#about = about
    this.#filter = createFilter(mostKeys)
    statements.addRun.run(about.run, about.tier, about.first, about.last)
  }

  add(a: number, b: number, c: number, d: number, sequence: Sequence): void {
    const buffer = this.#buffer
    const at = this.#filled
    buffer[at] = a
    buffer[at + 1] = b
    buffer[at + 2] = c
    buffer[at + 3] = d
    buffer[at + 4] = sequence >>> 0
    buffer[at + 5] = Math.floor(sequence / 0x100000000)
    this.#filled = at + wordsPerKey
    this.#keys++
    addToFilter(this.#filter, b, c, d)
    if (this.#filled === buffer.length) this.#flush()
  }

  /** Yields after every part; the run is live when it ends. */
  *finish(): Generator<number, Run> {
    this.#flush()
    const { run } = this.#about
    const filter = this.#filter
    const heads = Uint32Array.from(this.#heads)
    const all = new Uint32Array(filter.length + heads.length)
    all.set(filter)
    all.set(heads, filter.length)
    for (let part = 0; part * partWords < all.length; part++) {
      const words = all.slice(part * partWords, (part + 1) * partWords)
      this.#statements.addPart.run(run * partsPerRun + part, bytesOf(words))
      // 64 KiB costs about as much as the pages of 2,000 keys.
      yield 2000
    }
    this.#statements.setRun.run('live', this.#keys, heads.length, run)
    return { ...this.#about, keys: this.#keys, pages: heads.length, filter, heads }
  }

  #flush(): void {
    if (this.#filled === 0) return
    this.#statements.addPage.run(
      pageId(this.#about.run, this.#heads.length),
      bytesOf(this.#buffer.slice(0, this.#filled)),
    )
    this.#heads.push(this.#buffer[0] as number)
    this.#filled = 0
  }
}

/** Deletes a run's pages and parts a few at a time, then its row. */
export function* removeRun(statements: RunStatements, run: number): Generator<number, void> {
  for (let changed = 1; changed > 0; ) {
    changed = Number(statements.dropPages.run(pageId(run, 0), pageId(run + 1, 0), 64).changes)
    yield 4000
  }
  for (let changed = 1; changed > 0; ) {
    changed = Number(statements.dropParts.run(run * partsPerRun, (run + 1) * partsPerRun, 4).changes)
    yield 4000
  }
  statements.dropRun.run(run)
}
