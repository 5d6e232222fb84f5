import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseRate, parseSize } from './duration.ts'

// S0-50
describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['5s', 5_000],
    ['1m', 60_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1h 30m', 5_400_000],
    ['1h30m', 5_400_000],
    ['1m 500ms', 60_500],
    [' 0s ', 0],
    ['1.5h', 5_400_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toEqual({ ok: true, ms })
  })
  test.each([
    [30, /30 has no unit: .*ms, s, m, h or d/],
    ['30', /"30" has no unit: .*ms, s, m, h or d/],
    ['-1.5', /no unit/],
    [true, /not a duration/],
    ['', /not a duration/],
    ['5 s', /not a duration/],
    ['-5s', /not a duration/],
    ['5w', /not a duration/],
    ['30m 1h', /larger units come first/],
    ['1h 1h', /each once/],
    ['99999999999999d', /too long/],
    ['1s'.repeat(40), /…" is not a duration/],
  ])('refuses %j and says why', (input, problem) => {
    expect(parseDuration(input)).toEqual({ ok: false, problem: expect.stringMatching(problem) })
  })
  test('every duration reads back as it is shown', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, ms })
      }),
    )
  })
  test.each([
    [0, '0s'],
    [0.2, '0s'],
    [5_400_000, '1h 30m'],
    [90_061_001, '1d 1h 1m 1s 1ms'],
    [-1_500, '-1s 500ms'],
    [Number.POSITIVE_INFINITY, '∞'],
    [Number.NEGATIVE_INFINITY, '-∞'],
  ])('%f ms is shown as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('sizes', () => {
  test.each([
    ['10B', 10],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['10 GiB', 10_737_418_240],
    ['1TiB', 1_099_511_627_776],
    ['1.5KiB', 1_536],
    ['1kB', 1_000],
    ['1KB', 1_000],
    ['2MB', 2_000_000],
    ['1GB', 1_000_000_000],
    ['1TB', 1_000_000_000_000],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toEqual({ ok: true, bytes })
  })
  test.each([
    [1024, /1024 has no unit: .*KiB/],
    ['1024', /"1024" has no unit: .*KiB/],
    [null, /not a size/],
    ['1M', /not a size/],
    ['-1KiB', /not a size/],
    ['99999999TiB', /too large/],
  ])('refuses %j and says why', (input, problem) => {
    expect(parseSize(input)).toEqual({ ok: false, problem: expect.stringMatching(problem) })
  })
  test.each([
    [0, '0B'],
    [1_023, '1023B'],
    [1_024, '1KiB'],
    [1_536, '1.5KiB'],
    [1_048_576, '1MiB'],
    [10_737_418_240, '10GiB'],
    [2 ** 40, '1TiB'],
  ])('%i bytes are shown as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })
})

describe('rates', () => {
  test.each([
    ['100/s', { perSecond: 100, count: 100, windowMs: 1_000 }],
    ['30 / m', { perSecond: 0.5, count: 30, windowMs: 60_000 }],
    ['7200/h', { perSecond: 2, count: 7_200, windowMs: 3_600_000 }],
    ['86400/d', { perSecond: 1, count: 86_400, windowMs: 86_400_000 }],
  ])('reads %s', (text, rate) => {
    expect(parseRate(text)).toEqual({ ok: true, ...rate })
  })
  test.each([
    [100, /100 has no unit: .*100\/s/],
    ['100', /"100" has no unit/],
    [{}, /not a rate/],
    ['100/x', /not a rate/],
    ['0/s', /nothing/],
    [`${'9'.repeat(400)}/s`, /everything/],
  ])('refuses %j and says why', (input, problem) => {
    expect(parseRate(input)).toEqual({ ok: false, problem: expect.stringMatching(problem) })
  })
})
