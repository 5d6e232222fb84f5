import { expect, test } from 'vitest'
import { foldHistory } from './history.ts'

test('pruned history keeps its counts per state', () => {
  const rows = [
    {
      first: 1,
      last: 6,
      at: 1,
      runs: [
        { from: 1, count: 5, state: 'delivered' as const },
        { from: 6, count: 1, state: 'dead' as const },
      ],
    },
    { first: 7, last: 9, at: 2, runs: [{ from: 7, count: 3, state: 'delivered' as const }] },
  ]
  expect(foldHistory(rows)).toEqual({ delivered: 8, dead: 1 })
})

test('folding adds to what was folded before and leaves it as it was', () => {
  const base = { delivered: 2, expired: 1 }
  const rows = [{ first: 9, last: 9, at: 2, runs: [{ from: 9, count: 1, state: 'delivered' as const }] }]
  expect(foldHistory(rows, base)).toEqual({ delivered: 3, expired: 1 })
  expect(base).toEqual({ delivered: 2, expired: 1 })
})
