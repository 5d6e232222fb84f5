import { describe, expect, test } from 'vitest'
import { check } from '../plugin/check.ts'
import { schema } from '../plugin/schema.ts'
import { createPick, pickOption, textOfValue } from './pick.ts'

const pick = (text: string, scope: Record<string, unknown>) => {
  const made = createPick(text, ['body', 'headers'])
  if (!made.ok) throw new Error(made.problem)
  return made.pick(scope)
}

describe('a path', () => {
  const body = { order: { id: 7, 'ship-to': 'x', lines: [{ sku: 'a' }], none: null }, 'a b': 1 }
  test.each([
    ['$', body],
    ['$.order.id', 7],
    ['$.order.ship-to', 'x'],
    ['$.order.lines[0].sku', 'a'],
    ['$["a b"]', 1],
    ['$.order.none', undefined],
    ['$.order.missing.deeper', undefined],
    ['$.order.lines[1]', undefined],
    ['$.order.id.toString', undefined],
  ])('%s', (path, value) => {
    expect(pick(path, { body })).toEqual(value)
  })

  // SEC-76
  test.each(['$.__proto__', '$.constructor', '$.order.constructor.name', '$["__proto__"]'])(
    '%s does not leave the value',
    (path) => {
      expect(pick(path, { body })).toBeUndefined()
    },
  )

  test.each(['$order', '$.', '$..id', '$.a[*]', '$.a[-1]', `$${'.a'.repeat(600)}`])('%s is none', (path) => {
    expect(createPick(path, ['body'])).toMatchObject({ ok: false })
  })
})

describe('an expression', () => {
  test('sees every name', () => {
    expect(pick('"git." + headers["x-event"]', { body: {}, headers: { 'x-event': 'push' } })).toBe('git.push')
  })

  test('that meets a missing member has no value', () => {
    expect(pick('body.order.id', { body: {}, headers: {} })).toBeUndefined()
  })

  test('that is wrong is a problem of the configuration', () => {
    const options = schema.strictObject({ id: pickOption('Where the id is.', ['body']) })
    expect(check(options, { id: 'body..id' })).toMatchObject({ ok: false, issues: [{ path: ['id'] }] })
    expect(check(options, { id: 'other.id' })).toMatchObject({ ok: false })
    expect(check(options, { id: '$.id' }).ok).toBe(true)
  })
})

test('null is a value where that is wanted, and a missing one still is none', () => {
  const of = (text: string) => {
    const made = createPick(text, ['body'], true)
    return made.ok ? made.pick({ body: { none: null } }) : made
  }
  expect([of('$.none'), of('body.none'), of('$.missing'), of('body.missing')]).toEqual([
    null,
    null,
    undefined,
    undefined,
  ])
})

test('a value becomes the text of a field only where that is plain', () => {
  expect([7, 'a', true, '', null, undefined, [1], { a: 1 }].map((value) => textOfValue(value as never))).toEqual([
    '7',
    'a',
    'true',
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
