import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { historyRows } from './history-rows.ts'

describe('history rows', () => {
  test('nothing settled is no row', () => {
    expect(historyRows(1, [], [])).toEqual([])
  })

  test('neighbours that settled alike are one run; reasons and attempt counts split them', () => {
    const rows = historyRows(
      9,
      [1, 2, 3, 7],
      [
        { sequence: 4, state: 'delivered', attemptCount: 1 },
        { sequence: 5, state: 'discarded', reason: 'test', attemptCount: 1 },
        {
          sequence: 6,
          state: 'delivered',
          attemptCount: 3,
          attempts: [{ at: 1, durationMs: 2, step: 'sink', outcome: 'retry' }],
        },
      ],
    )
    expect(rows).toEqual([
      {
        first: 1,
        last: 7,
        at: 9,
        runs: [
          { from: 1, count: 4, state: 'delivered' },
          { from: 5, count: 1, state: 'discarded', reason: 'test' },
          { from: 6, count: 1, state: 'delivered', attempts: 3 },
          { from: 7, count: 1, state: 'delivered' },
        ],
        attempts: [{ sequence: 6, attempts: [{ at: 1, durationMs: 2, step: 'sink', outcome: 'retry' }] }],
      },
    ])
  })

  test('what one step discarded at once is one run, and another step begins another', () => {
    const by = (sequence: number, step: string) =>
      ({ sequence, state: 'discarded', reason: 'test', attemptCount: 1, step }) as const
    expect(historyRows(9, [], [by(1, 'a'), by(2, 'a'), by(3, 'b')])[0]!.runs).toEqual([
      { from: 1, count: 2, state: 'discarded', reason: 'test', step: 'a' },
      { from: 3, count: 1, state: 'discarded', reason: 'test', step: 'b' },
    ])
  })

  test('runs far apart go to rows of their own', () => {
    const rows = historyRows(
      1,
      [1, 100_000],
      [{ sequence: 50_000, state: 'dead', reason: 'x', attemptCount: 1, attempts: [] }],
    )
    expect(rows.map(({ first, last }) => [first, last])).toEqual([
      [1, 1],
      [50_000, 50_000],
      [100_000, 100_000],
    ])
  })

  test('attempts stand in the row of their delivery, in the order of the log', () => {
    const attempt = (reason: string) => [{ at: 1, durationMs: 2, step: 'sink', outcome: 'retry' as const, reason }]
    const rows = historyRows(
      1,
      [],
      [
        { sequence: 50_000, state: 'dead', attemptCount: 1, attempts: attempt('third') },
        { sequence: 8, state: 'dead', attemptCount: 1, attempts: attempt('second') },
        { sequence: 7, state: 'dead', attemptCount: 1, attempts: attempt('first') },
        { sequence: 9, state: 'dead', attemptCount: 1 },
      ],
    )
    expect(rows.map(({ attempts }) => attempts)).toEqual([
      [
        { sequence: 7, attempts: attempt('first') },
        { sequence: 8, attempts: attempt('second') },
      ],
      [{ sequence: 50_000, attempts: attempt('third') }],
    ])
  })

  test('every settled sequence is in exactly one run, in order', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 20_000 }), { maxLength: 60 }),
        fc.nat(60),
        (sequences, cut) => {
          const once = sequences.slice(0, cut)
          const rest = sequences.slice(cut)
          const rows = historyRows(
            1,
            once,
            rest.map((sequence) => ({ sequence, state: 'expired' as const, attemptCount: 1 })),
          )
          const seen = rows.flatMap(({ runs }) =>
            runs.flatMap(({ from, count }) => Array.from({ length: count }, (_, i) => from + i)),
          )
          expect(seen).toEqual([...sequences].sort((a, b) => a - b))
          for (const { first, last, runs } of rows)
            expect([runs[0]!.from, runs.at(-1)!.from + runs.at(-1)!.count - 1]).toEqual([first, last])
        },
      ),
    )
  })
})
