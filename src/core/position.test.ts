import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatPosition, parsePosition } from './position.ts'

// G30
test('every position reads back as it was written, also when the incarnation holds dashes', () => {
  const incarnation = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)
  fc.assert(
    fc.property(incarnation, fc.nat({ max: Number.MAX_SAFE_INTEGER }), (life, sequence) => {
      expect(parsePosition(formatPosition(life, sequence))).toEqual({ incarnation: life, sequence })
    }),
  )
})
test('a bare sequence names no incarnation', () => {
  expect(parsePosition('0')).toEqual({ sequence: 0 })
  expect(parsePosition('42')).toEqual({ sequence: 42 })
})
test.each(['', '-', '-5', 'abc', 'abc-', 'a b-5', 'abc-5 ', 'abc-1.5', '9007199254740992', `${'x'.repeat(65)}-5`])(
  'a token that is no position is not guessed at: "%s"',
  (text) => {
    expect(parsePosition(text)).toBeUndefined()
  },
)
