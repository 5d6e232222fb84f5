import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeRuns, encodeRuns } from './number-runs.ts'

test('numbers come back as they were', () => {
  const numbers = fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 2 ** 50 })))
  fc.assert(
    fc.property(numbers, (list) => {
      expect(decodeRuns(encodeRuns(list))).toEqual(list)
    }),
  )
})

test('numbers in a row are short, however many', () => {
  const row = Array.from({ length: 10_000 }, (_, index) => 1_000_000 + index)
  expect(encodeRuns(row)).toBe('1000000 1*9999')
  expect(encodeRuns(row.map(() => 1))).toBe('1 0*9999')
  expect(encodeRuns([])).toBe('')
})
