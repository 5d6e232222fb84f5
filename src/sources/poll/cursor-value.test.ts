import { describe, expect, test } from 'vitest'
import { compareValues, cursorValueOf, earlierValue, writeTime } from './cursor-value.ts'

describe('cursors are compared', () => {
  test.each([
    [9, 10],
    ['9', '10'],
    ['9007199254740992', '9007199254740993'],
    [9, '10'],
    ['2026-01-01T00:00:09Z', '2026-01-01T00:00:10Z'],
    ['2026-01-01T01:00:00+02:00', '2026-01-01T00:00:00Z'],
    ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.0001Z'],
    ['2026-01-01T00:00:00.123456Z', '2026-01-01T00:00:00.1235Z'],
    ['2026-01-01', '2026-01-02'],
    ['01ARZ3', '01ARZ4'],
  ])('%j comes before %j', (a, b) => {
    expect(compareValues(a, b)).toBeLessThan(0)
    expect(compareValues(b, a)).toBeGreaterThan(0)
    expect(compareValues(a, a)).toBe(0)
  })

  test('the same moment in two spellings is the same', () => {
    expect(compareValues('2026-01-01T00:00:00Z', '2026-01-01T01:00:00.000+01:00')).toBe(0)
  })
})

test.each([
  ['2026-01-01T00:00:10Z', 'rfc3339', '2026-01-01T00:00:05Z'],
  ['2026-01-01T00:00:10.500Z', 'rfc3339', '2026-01-01T00:00:05.500Z'],
  ['2026-01-01T01:00:10+01:00', 'seconds', '2026-01-01T00:00:05Z'],
  [100, 'seconds', 95],
  ['100', 'seconds', '95'],
  [100_000, 'milliseconds', 95_000],
  [100, 'rfc3339', undefined],
  ['abc', 'seconds', undefined],
  ['2026-01-01', 'rfc3339', undefined],
] as const)('five seconds before %j (%s) is %j', (value, format, earlier) => {
  expect(earlierValue(value, 5_000, format)).toBe(earlier)
})

test('a moment is written as the API wants it', () => {
  const ms = Date.parse('2026-01-01T00:00:05.900Z')
  expect(writeTime(ms, 'rfc3339')).toBe('2026-01-01T00:00:05Z')
  expect(writeTime(ms, 'seconds')).toBe(1_767_225_605)
  expect(writeTime(ms, 'milliseconds')).toBe(ms)
})

test('what stands for nothing is no cursor, and what is neither text nor number cannot be one', () => {
  expect([undefined, null, '', false].map(cursorValueOf)).toEqual([undefined, undefined, undefined, undefined])
  expect([true, {}, [1], 'x'.repeat(5_000)].map(cursorValueOf)).toEqual([null, null, null, null])
  expect([0, 'a'].map(cursorValueOf)).toEqual([0, 'a'])
})
