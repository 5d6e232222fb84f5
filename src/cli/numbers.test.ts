import { expect, test } from 'vitest'
import { clock, counted, moment, span, wholeNumber } from './numbers.ts'
import { progressLine } from './progress.ts'

const now = Date.parse('2026-03-04T05:06:07.000Z')

test.each([
  ['15m', '2026-03-04T04:51:07.000Z'],
  ['7d', '2026-02-25T05:06:07.000Z'],
  ['2026-03-01', '2026-03-01T00:00:00.000Z'],
  ['2026-03-01T10:00', '2026-03-01T10:00:00.000Z'],
  ['2026-03-01T10:00:00+02:00', '2026-03-01T08:00:00.000Z'],
])('the time %s is read as %s', (text, expected) => {
  expect(moment(text, '--since', now)).toBe(expected)
})

test.each(['yesterday', '5', '2026-13-45', ''])('a time that cannot be read is refused with examples: %j', (text) => {
  expect(() => moment(text, '--since', now)).toThrow(/^--since .* is no time: write how long ago \(15m, 2h, 7d\)/)
})

test.each(['x', '-1', '1.5', '99999999999999999', ''])('%j is no whole number', (text) => {
  expect(() => wholeNumber(text, 'the sequence', 1)).toThrow(/is not a whole number of at least 1/)
})

test.each([
  [3.2, '3ms'],
  [1_500, '1.5s'],
  [65_000, '1m 5s'],
  [3_720_000, '1h 2m'],
  [100 * 3_600_000, '4d 4h'],
])('%d ms are shown as %s', (ms, text) => {
  expect(span(ms)).toBe(text)
})

test('counts and times read as people write them', () => {
  expect(counted(1, 'event')).toBe('1 event')
  expect(counted(12_345, 'event')).toBe('12,345 events')
  expect(clock('2026-03-04T05:06:07.089Z')).toBe('2026-03-04 05:06:07.089')
})

test('progress shows a bar, the rate and the time left when the whole is known', () => {
  const line = progressLine('events', { count: 5_000, bytes: 2 ** 20, part: 0.5 }, 2_000)
  expect(line).toBe('██████████────────── 50%  5,000 events  2,500/s  1MiB  2s left')
  expect(progressLine('events', { count: 10 }, 1_000)).toBe('10 events  10/s')
})
