import type { BatchEnd, EndedRow } from './ledger-state.ts'

/** How long a batch is remembered after its end, at least. */
export const rememberedMs = 86_400_000
/** A page takes ends for so long, or until it has so many runs; then the next one begins. */
const pageMs = 3_600_000
const runsPerPage = 64
/** Far more than healthy clients need: the oldest go first. */
const mostPages = 2000

interface Page {
  readonly name: string
  readonly epoch: number
  readonly since: number
  until: number
  /** First number, how many, how they ended; ascending. */
  runs: [number, number, BatchEnd][]
}

/**
 * Remembers how batches ended, so that a client whose answer was lost can ask again. Numbers are given one after the other
 * and mostly end alike, so runs of them are short, and a page of runs is one row.
 */
export class EndedBatches {
  readonly #write: (name: string, row: EndedRow | undefined) => void
  /** Oldest first. */
  #pages: Page[] = []
  #made = 0

  constructor(write: (name: string, row: EndedRow | undefined) => void) {
    this.#write = write
  }

  restore(rows: readonly EndedRow[]): void {
    this.#pages = rows
      .map(({ batch, epoch, since, until, runs }) => ({ name: batch, epoch, since, until, runs: runs.map(copyOf) }))
      .sort((a, b) => a.since - b.since)
  }

  note(epoch: number, number: number, end: BatchEnd, now: number): void {
    const last = this.#pages.at(-1)
    const isOpen = last !== undefined && last.epoch === epoch && now - last.since < pageMs
    const page = isOpen && last.runs.length < runsPerPage ? last : this.#begin(epoch, now)
    page.until = Math.max(page.until, now)
    page.runs = withNumber(page.runs, number, end)
    this.#write(page.name, { kind: 'ended', batch: page.name, ...rest(page) })
  }

  /** How a batch ended; undefined when it is not known, or no longer. */
  find(epoch: number, number: number, now: number): BatchEnd | undefined {
    for (const page of this.#pages) {
      if (page.epoch !== epoch || page.until <= now - rememberedMs) continue
      const run = page.runs.find(([from, count]) => number >= from && number < from + count)
      if (run !== undefined) return run[2]
    }
    return undefined
  }

  #begin(epoch: number, now: number): Page {
    const isKept = (page: Page, index: number, all: readonly Page[]): boolean =>
      page.until > now - rememberedMs && index > all.length - mostPages
    const kept = this.#pages.filter(isKept)
    for (const page of this.#pages) if (!kept.includes(page)) this.#write(page.name, undefined)
    this.#made += 1
    const page: Page = { name: `ended-${epoch}-${this.#made}`, epoch, since: now, until: now, runs: [] }
    this.#pages = [...kept, page]
    return page
  }
}

function copyOf([from, count, end]: EndedRow['runs'][number]): [number, number, BatchEnd] {
  return [from, count, end]
}

function rest({ epoch, since, until, runs }: Page): Pick<EndedRow, 'epoch' | 'since' | 'until' | 'runs'> {
  return { epoch, since, until, runs: runs.map(copyOf) }
}

/** The runs with one number more, joined to its neighbours where they ended alike. */
function withNumber(runs: readonly [number, number, BatchEnd][], number: number, end: BatchEnd) {
  const sorted = [...runs, [number, 1, end] as [number, number, BatchEnd]].sort(([a], [b]) => a - b)
  const joined: [number, number, BatchEnd][] = []
  for (const run of sorted) {
    const last = joined.at(-1)
    if (last !== undefined && last[2] === run[2] && last[0] + last[1] === run[0]) last[1] += run[1]
    else joined.push(copyOf(run))
  }
  return joined
}
