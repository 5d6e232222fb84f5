import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { editDistance, formatIssue, formatPath, nearest } from './issues.ts'

describe('an issue as one line', () => {
  test('begins with its place, then path and message, then what was meant and what there is', () => {
    expect(
      formatIssue({
        code: 'config-invalid',
        message: 'there is no sink webhok',
        path: ['subscriptions', 'crm', 'stages', 0, 'my key'],
        file: 'millrace.yaml',
        line: 3,
        column: 7,
        suggestion: 'webhook',
        available: ['console', 'webhook'],
      }),
    ).toBe(
      'millrace.yaml:3:7: subscriptions.crm.stages[0]["my key"]: there is no sink webhok; did you mean webhook? (available: console, webhook)',
    )
  })
  test('is the message alone when nothing else is known', () => {
    expect(formatIssue({ code: 'event-invalid', message: 'id is missing', path: [] })).toBe('id is missing')
    expect(formatIssue({ code: 'event-invalid', message: 'id is missing' })).toBe('id is missing')
    expect(formatIssue({ code: 'event-invalid', message: 'id is missing', path: ['id'] })).toBe('id is missing')
  })
  test('a path quotes what is no plain word', () => {
    expect(formatPath([0, 'a', 'b-c', '', 'x.y'])).toBe('[0].a.b-c[""]["x.y"]')
  })
})

describe('the nearest spelling', () => {
  test.each([
    ['webhok', 'webhook'],
    ['wbehook', 'webhook'],
    ['WEBHOOK', 'webhook'],
    ['consol', 'console'],
    ['fiel', 'file'],
    ['zebra', undefined],
    ['x'.repeat(101), undefined],
    ['', undefined],
  ])('of %s is %s', (word, expected) => {
    expect(nearest(word, ['console', 'file', 'webhook'])).toBe(expected)
  })
  test('is the first of those that are equally near', () => {
    expect(nearest('cat', ['bat', 'rat'])).toBe('bat')
  })
  test('counts as few edits as were made', () => {
    expect([editDistance('', 'abc'), editDistance('abc', 'abc'), editDistance('ab', 'ba')]).toEqual([3, 0, 1])
    const word = fc.string({ maxLength: 8 })
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a + c, b + c)).toBeLessThanOrEqual(editDistance(a, b))
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})
