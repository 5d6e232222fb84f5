import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { migrations } from '../migrations/index.ts'
import { type Dedup, openDedup } from './dedup.ts'

function memory(): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  for (const step of migrations) database.exec(step)
  onTestFinished(() => database.close())
  return database
}

const small = { recentKeys: 64, fanIn: 2 }
const idle = (dedup: Dedup): void => {
  while (dedup.isBehind()) dedup.work(100)
}
function addMany(dedup: Dedup, from: number, count: number): void {
  for (let n = from; n < from + count; n++) dedup.add(dedup.hash('s', `id-${n}`), n)
  dedup.flush()
}
const missing = (dedup: Dedup, from: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => from + index).filter((n) => dedup.find(dedup.hash('s', `id-${n}`)) !== n)

// S0-08, S0-09, G6: exact over every generation.
test('every key is found while it is recent, frozen, sealed, being merged and merged', () => {
  const dedup = openDedup(memory(), small)
  for (let n = 1; n <= 2000; n++) {
    addMany(dedup, n, 1)
    if (n % 3 === 0) dedup.work(40)
    if (n % 250 === 0) expect(missing(dedup, 1, n)).toEqual([])
  }
  idle(dedup)
  expect(missing(dedup, 1, 2000)).toEqual([])
  expect(dedup.stats().runs.some((run) => run.tier > 1)).toBe(true)
  expect(dedup.stats().frozen).toBe(0)
  for (let n = 2001; n < 12_000; n++) expect(dedup.find(dedup.hash('s', `id-${n}`))).toBe(0)
})

test('opening again finds every key, also when sealing or merging was cut off', () => {
  const database = memory()
  for (let from = 1; from <= 1500; from += 50) {
    const dedup = openDedup(database, small)
    expect(missing(dedup, 1, from - 1)).toEqual([])
    addMany(dedup, from, 50)
    dedup.work(30 + (from % 700))
  }
  const last = openDedup(database, small)
  idle(last)
  expect(missing(last, 1, 1500)).toEqual([])
  const rows = database.prepare('SELECT count(*) AS n FROM dedup_log').get() as { n: number }
  expect(rows.n).toBeLessThanOrEqual(64)
})

// S0-116
test('forgetting is exact at once, and whole runs are deleted later', () => {
  const database = memory()
  const dedup = openDedup(database, { recentKeys: 64, fanIn: 100 })
  addMany(dedup, 1, 1000)
  idle(dedup)
  const pages = (): number => (database.prepare('SELECT count(*) AS n FROM dedup_pages').get() as { n: number }).n
  const before = pages()
  expect(dedup.forget(700)).toBe(700)
  expect(dedup.find(dedup.hash('s', 'id-700'))).toBe(0)
  expect(missing(dedup, 701, 300)).toEqual([])
  idle(dedup)
  expect(pages()).toBeLessThan(before / 2)
  dedup.add(dedup.hash('s', 'id-700'), 1001)
  expect(dedup.find(dedup.hash('s', 'id-700'))).toBe(1001)
  expect(dedup.forget(600)).toBe(0)
})

test('a long merge does not keep full tables in memory: they are sealed in between', () => {
  const dedup = openDedup(memory(), { recentKeys: 1024, fanIn: 4 })
  let most = 0
  for (let n = 1; n <= 100_000; n += 500) {
    addMany(dedup, n, 500)
    dedup.work(2000)
    most = Math.max(most, dedup.stats().frozen)
  }
  expect(most).toBe(1)
  idle(dedup)
  expect(missing(dedup, 1, 100_000)).toEqual([])
})

test('a screened group finds what each key alone finds, in whatever generation it is, and what the group itself adds', () => {
  const dedup = openDedup(memory(), small)
  addMany(dedup, 1, 3000)
  while (dedup.stats().runs.length < 4) dedup.work(500)
  // More than fits at first, every second one unknown, three values apart.
  const ids = Array.from({ length: 2500 }, (_, index) => (index % 2 === 0 ? index + 1 : index + 100_000))
  dedup.screen(
    ids.flatMap((n) => ['s', `id-${n}`, 'else']),
    3,
  )
  const found = ids.map((_, index) => dedup.find(dedup.screened(index), index))
  expect(found).toEqual(ids.map((n) => (n <= 3000 ? n : 0)))

  dedup.screen(['s', 'new', 's', 'id-7', 's', 'new'], 2)
  expect(dedup.find(dedup.screened(0), 0)).toBe(0)
  dedup.add(dedup.screened(0), 3001)
  expect(dedup.find(dedup.screened(1), 1)).toBe(7)
  expect(dedup.find(dedup.screened(2), 2)).toBe(3001)
})
