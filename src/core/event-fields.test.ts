import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJsonType, isPlainObject, textProblem, timeProblem, typeProblem } from './event-fields.ts'

describe('plain objects', () => {
  test('are those that a literal or a parser made, of whatever realm', () => {
    const plain = [{}, Object.create(null), JSON.parse('{"__proto__":1}'), runInNewContext('({ a: 1 })')]
    expect(plain.map(isPlainObject)).toEqual([true, true, true, true])
    const others = [null, undefined, 1, 'x', [], new Map(), new Date(), new (class A {})()]
    expect(others.map(isPlainObject)).toEqual(others.map(() => false))
  })
})

describe('text', () => {
  test.each([
    ['', 'is empty'],
    ['abcdef', 'is longer than 5 characters'],
    ['a\0', 'holds a control character'],
    ['a\n', 'holds a control character'],
    ['a\u007f', 'holds a control character'],
    ['a\u0085', 'holds a control character'],
    ['a\ud800', 'holds half of a surrogate pair'],
    ['\ude00', 'holds half of a surrogate pair'],
    ['😀\n', 'holds a control character'],
    ['😀\u0085', 'holds a control character'],
    ['😀é€', undefined],
    ['a b~ä', undefined],
  ])('%j: %s', (text, problem) => {
    expect(textProblem(text, 5)).toBe(problem)
  })
})

describe('types', () => {
  test('are dot-separated segments of letters, digits, _ and -, as the pattern says', () => {
    const unit = fc.constantFrom('a', 'Z', '0', '9', '_', '-', '.', '/', ':', '@', '[', '`', '{', ' ', 'é', '*')
    fc.assert(
      fc.property(fc.array(unit), (units) => {
        const type = units.join('')
        const isRight = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(type)
        expect(typeProblem(type) === undefined).toBe(isRight)
      }),
    )
  })
  test('an empty segment is named as such', () => {
    expect([typeProblem('a..b'), typeProblem('a.'), typeProblem('.a')]).toEqual(
      Array(3).fill('has an empty segment: write it as order.placed'),
    )
    expect(typeProblem('a b')).toMatch(/may hold only letters/)
  })
})

describe('times', () => {
  test('every date that the platform writes is right', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }), (date) => {
        expect(timeProblem(date.toISOString())).toBeUndefined()
      }),
    )
  })
  test.each([
    '2024-02-29T00:00:00Z',
    '2000-02-29T00:00:00Z',
    '2026-04-30t23:59:60.123456789z',
    '2026-01-31T12:00:00+05:30',
    '2026-12-31T12:00:00-23:59',
  ])('%s is right', (text) => {
    expect(timeProblem(text)).toBeUndefined()
  })
  test.each([
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-01-31 12:00:00Z',
    '2026-01-31T12:00Z',
    '2026-01-31T12:00:00.Z',
    'yesterday',
  ])('%s is not RFC 3339', (text) => {
    expect(timeProblem(text)).toMatch(/not RFC 3339/)
  })
  test.each([
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-06-31T00:00:00Z',
    '2026-09-31T00:00:00Z',
    '2026-11-31T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:61Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+00:60',
  ])('%s does not exist', (text) => {
    expect(timeProblem(text)).toMatch(/does not exist/)
  })
})

test.each([
  [undefined, true],
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['text/JSON', true],
  ['application/vnd.shop+json', true],
  ['application/jsonl', false],
  ['text/plain', false],
  ['json', false],
  ['', false],
])('content type %s is JSON: %s', (type, expected) => {
  expect(isJsonType(type)).toBe(expected)
})
