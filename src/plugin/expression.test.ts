import { describe, expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import { compileExpression, eventNames, scopeOf } from './expression.ts'
import { ExpressionError } from './expression-value.ts'

const event = new Event({
  sequence: 7,
  appendedAt: 1_760_000_000_000,
  source: 'shop',
  id: '42',
  type: 'order.placed',
  subject: 'order-42',
  data: '{"total":120,"n":5,"list":[1,2,3],"name":"Zoé","none":null,"__proto__":{"x":1}}',
  meta: '{"tenant":"a"}',
})

function value(text: string): unknown {
  const compiled = compileExpression(text, eventNames)
  if (!compiled.ok) return compiled.problem
  try {
    return compiled.expression.evaluate(scopeOf(event, compiled.expression.uses))
  } catch (error) {
    expect(error).toBeInstanceOf(ExpressionError)
    return (error as Error).message
  }
}

test.each([
  ['data.total > 100', true],
  ['data.n == 5 && data.n + 1 == 6', true],
  ['data.n % 2', 1],
  ['data.total / 7 > 17', true],
  ['data.list.exists(x, x == 3)', true],
  ['size(data.list)', 3],
  ['has(data.missing)', false],
  ['data.?missing.orValue("none")', 'none'],
  ['data.none == null', true],
  ['event.type + ":" + event.subject', 'order.placed:order-42'],
  ['event.sequence', 7],
  ['meta.tenant', 'a'],
  ['{"a": data.n, "b": [1, data.name]}', { a: 5, b: [1, 'Zoé'] }],
  ['timestamp(event.recordedtime) > timestamp("2025-01-01T00:00:00Z")', true],
])('%s', (text, expected) => {
  expect(value(text)).toEqual(expected)
})

test('a missing member is an error that names it, not a value', () => {
  expect(value('data.missing > 1')).toMatch(/data.missing > 1: No such key: missing/)
  expect(value('data.missing')).toMatch(/No such key: missing/)
  expect(value('data.missing + 1 == 1')).toMatch(/No such key: missing/)
})

test.each([
  ['data.missing != true', true],
  ['data.missing == true', false],
  ['!(data.missing == true) && data.total != data.other', true],
  ['(data.missing) == null', true],
  ['data.missing.deeper["and deeper"] != "x"', true],
  ['data.total.deeper == 1', false],
  ['data["a.\\"b"] == null', true],
  ['data.none == null && data.missing == data.none', true],
  ['[{"a": 1}, {}].filter(each, each.a != 1).size()', 1],
  ['"ü€😀" == data.missing ? 1 : data.n', 5],
  ['event.datacontenttype == null', true],
  ['meta.tenant == "a" && meta.shard != "b"', true],
])('compared, a missing member is null: %s', (text, expected) => {
  expect(value(text)).toEqual(expected)
})

test('what is wrong is found at load, with its place and what there is', () => {
  expect(value('data.total >')).toMatch(/not a valid expression at character 1\d: it ends too early$/)
  expect(value('dat.total > 1')).toMatch(/Unknown variable: dat; there are: event, data, meta/)
  expect(value('device.hot')).toMatch(
    /there are: event, data, meta. A text that stands for itself is written in quotes$/,
  )
  expect(value('data.total = 1')).toMatch(/at character 12: Unexpected character: =; to compare, write ==$/)
  expect(value('x'.repeat(5000))).toMatch(/longer than 4096/)
})

// SEC-76
describe('an expression cannot leave the values it is given', () => {
  test.each(['data.constructor', 'data["constructor"]', 'event.__proto__', 'data.toString', 'meta.hasOwnProperty'])(
    '%s is no member',
    (text) => {
      expect(value(text)).toMatch(/No such key/)
    },
  )

  test('a member named __proto__ in the data is data', () => {
    expect(value('data["__proto__"]')).toEqual({ x: 1 })
  })

  test('nesting, size and result are bounded', () => {
    expect(value(`${'('.repeat(80)}1${')'.repeat(80)}`)).toMatch(/not a valid expression/)
    expect(value(`[${'1,'.repeat(300)}1]`)).toMatch(/not a valid expression/)
    expect(value('data.list.map(a, data.list.map(b, b))')).toMatch(/inside another loop may only go over members of a/)
    expect(value('data.list.map(a, a).map(b, 1)')).toEqual([1, 1, 1])
    const many = compileExpression('data', ['data'])
    expect(() => many.ok && many.expression.evaluate({ data: Array.from({ length: 10_001 }, () => 1) })).toThrow(
      /more than 10000 values/,
    )
    expect(value('[{"tags":["x"]}].exists(i, i.tags.exists(t, t == "x"))')).toBe(true)
  })
})

// SEC-75
test('regular expressions are refused', () => {
  expect(value('data.name.matches("(a+)+$")')).toMatch(/matches\(\) is not available/)
  expect(value('matches(data.name, "a")')).toMatch(/matches\(\) is not available/)
})

test('only what an expression uses is read', () => {
  const damaged = new Event({ ...event.record, data: 'not json' })
  const compiled = compileExpression('event.type == "order.placed"', eventNames)
  expect(compiled.ok && compiled.expression.evaluate(scopeOf(damaged, compiled.expression.uses))).toBe(true)
})

test.each([
  ['meta.tenant == "x"', { path: 'meta.tenant', value: 'x' }],
  ['"x" == meta["tenant"]', { path: 'meta.tenant', value: 'x' }],
  ['data.total > 1 && (event.subject == "a" && meta.b == "c")', { path: 'event.subject', value: 'a' }],
  ['meta.tenant == "x" || data.total > 1', undefined],
  ['!(meta.tenant == "x")', undefined],
  ['meta["a.b"] == "x"', undefined],
  ['meta.n == 1', undefined],
  ['event.datacontenttype == "text/plain"', undefined],
  ['meta.a == meta.b', undefined],
])('%s asks every event for %o', (text, only) => {
  const compiled = compileExpression(text, ['event', 'data', 'meta'])
  expect(compiled.ok && compiled.expression.only).toEqual(only)
})
