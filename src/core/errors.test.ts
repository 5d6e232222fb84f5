import { describe, expect, test } from 'vitest'
import { AppError, errorCodes, messageOf } from './errors.ts'

describe('errors', () => {
  test('an error carries its code, its facts and its cause', () => {
    const cause = new Error('disk on fire')
    const error = new AppError('store-full', 'writing failed', { cause, facts: { path: 'events.db' } })
    expect(error).toMatchObject({ name: 'AppError', code: 'store-full', cause, facts: { path: 'events.db' } })
    expect(error).toBeInstanceOf(Error)
  })

  test('without a cause there is none, and facts are empty', () => {
    const error = new AppError('internal', 'something failed')
    expect('cause' in error).toBe(false)
    expect(error.facts).toEqual({})
  })

  test.each([
    [new Error('first\n  second\tthird '), 'first second third'],
    ['a text\r\nof two lines', 'a text of two lines'],
    [undefined, 'undefined'],
    [{ toString: (): string => 'its own words' }, 'its own words'],
    [Object.create(null), 'something that has no text'],
    ['x'.repeat(1e6), `${'x'.repeat(4000)}…`],
  ])('the message of anything thrown is one line (%#)', (thrown, message) => {
    expect(messageOf(thrown)).toBe(message)
  })

  test('every code is kebab-case, has an HTTP error status and a title', () => {
    for (const [code, { status, title }] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(600)
      expect(title).toMatch(/^[A-Z].*[^.]$/)
    }
  })
})
