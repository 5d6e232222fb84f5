import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canMatch, checkPattern, compilePatterns, createMatchIndex, isReservedType } from './match.ts'

const segment = fc.constantFrom('a', 'b', 'order', 'orders', 'millrace')
const type = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'))
const pattern = fc.oneof(
  fc.constant('*'),
  type,
  type.map((text) => `${text}.*`),
)
const patterns = fc.array(pattern, { maxLength: 4 })

/** The rule as the requirements say it. */
function model(list: readonly string[], candidate: string): boolean {
  return list.some((text) => {
    if (text === '*') return candidate.split('.')[0] !== 'millrace' || candidate === 'millrace'
    if (text.endsWith('.*')) return candidate.startsWith(text.slice(0, text.length - 1))
    return text === candidate
  })
}

describe('patterns', () => {
  // S0-22, S0-24
  test('any match suffices, as the written rule says', () => {
    fc.assert(
      fc.property(patterns, type, (list, candidate) => {
        expect(compilePatterns(list)(candidate)).toBe(model(list, candidate))
      }),
    )
  })
  // S0-23
  test('a star matches every type, a prefix what begins with it, anything else itself', () => {
    expect(compilePatterns(['*'])('order.placed')).toBe(true)
    expect(compilePatterns(['order.*'])('order.line.added')).toBe(true)
    expect(compilePatterns(['order.placed'])('order.placed')).toBe(true)
    expect(compilePatterns(['order.placed'])('order.placed.twice')).toBe(false)
  })
  test('whether a list can match anything that a pattern matches', () => {
    const can = (list: string[], wanted: string) => canMatch(list, wanted)
    expect([can(['*'], 'a.b'), can(['a.*'], 'a.b'), can(['a.b.*'], 'a.*'), can(['a.b'], 'a.*')]).not.toContain(false)
    expect([can(['b'], '*'), can(['*'], 'a.*'), can(['a.*', 'b'], 'b')]).not.toContain(false)
    expect([can(['a'], 'a.*'), can(['a.*'], 'ab.c'), can(['a.b.*'], 'a.c'), can([], 'a')]).not.toContain(true)
    expect([can(['*'], 'millrace.*'), can(['*'], 'millrace.dead'), can(['millrace.*'], '*')]).not.toContain(true)
  })
  // S0-25
  test('a prefix needs its dot', () => {
    const matches = compilePatterns(['order.*'])
    expect([matches('order'), matches('orders.placed'), matches('order.x')]).toEqual([false, false, true])
  })
  // S0-70
  test('an empty list matches nothing and a list that holds a star everything', () => {
    expect(compilePatterns([])('order')).toBe(false)
    expect(compilePatterns(['x', '*'])('order')).toBe(true)
  })
  test('the types of the engine are matched only by their own prefix', () => {
    expect(compilePatterns(['*'])('millrace.dead')).toBe(false)
    expect(compilePatterns(['millrace.*'])('millrace.dead')).toBe(true)
    expect(compilePatterns(['*', 'millrace.dead'])('millrace.dead')).toBe(true)
    expect([isReservedType('millrace.dead'), isReservedType('millraces.dead')]).toEqual([true, false])
  })
})

describe('checkPattern', () => {
  test.each(['*', 'order', 'order.*', 'order.placed', 'a-b_C9.x.*'])('lets %s pass', (text) => {
    expect(checkPattern(text)).toBeUndefined()
  })
  test.each([
    ['', /empty/],
    ['*.placed', /star/],
    ['order.*.x', /star/],
    ['ord*', /star/],
    ['.*', /star/],
    ['order placed', /segments/],
    ['order..placed', /segments/],
    ['order.', /segments/],
  ])('says what is wrong with "%s"', (text, problem) => {
    expect(checkPattern(text)).toMatch(problem)
  })
})

describe('the index', () => {
  const source = fc.constantFrom('s1', 's2', 's3')
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('add' as const),
      key: fc.nat(5),
      match: patterns,
      from: fc.option(fc.array(source, { maxLength: 2 }), { nil: undefined }),
    }),
    fc.record({ kind: fc.constant('remove' as const), key: fc.nat(5) }),
    fc.record({ kind: fc.constant('lookup' as const), source, type }),
  )

  test('answers what asking each subscription in turn would answer, whatever was added and removed before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const index = createMatchIndex<number>()
        const asked = new Map<number, { match: readonly string[]; from: readonly string[] | undefined }>()
        for (const item of steps) {
          if (item.kind === 'add') {
            index.add(item.key, item.match, item.from)
            asked.set(item.key, item)
          } else if (item.kind === 'remove') {
            index.remove(item.key)
            asked.delete(item.key)
          } else {
            const expected = [...asked]
              .filter(([, one]) => one.from === undefined || one.from.includes(item.source))
              .filter(([, one]) => compilePatterns(one.match)(item.type))
              .map(([key]) => key)
            expect(index.lookup(item.source, item.type)).toEqual(expected)
            expect(index.lookup(item.source, item.type)).toEqual(expected)
          }
        }
      }),
    )
  })
  test('gives the very same answer until something changes', () => {
    const index = createMatchIndex<string>()
    index.add('a', ['*'], undefined)
    const first = index.lookup('s', 'order')
    expect(index.lookup('s', 'order')).toBe(first)
    expect(Object.isFrozen(first)).toBe(true)
    index.add('b', ['order'], ['s'])
    expect(index.lookup('s', 'order')).toEqual(['a', 'b'])
    expect(index.lookup('other', 'order')).toEqual(['a'])
  })
  test('a key that is added again keeps its place', () => {
    const index = createMatchIndex<string>()
    index.add('a', ['x'], undefined)
    index.add('b', ['order'], undefined)
    index.add('a', ['order'], undefined)
    expect(index.lookup('s', 'order')).toEqual(['a', 'b'])
    expect(index.lookup('s', 'x')).toEqual([])
  })
  test('a key that names a pattern twice is found once, and its removal leaves the others', () => {
    const index = createMatchIndex<string>()
    index.add('a', ['order', 'order', 'order.*', 'order.*', '*', '*'], undefined)
    index.add('b', ['order', 'order.*', '*'], undefined)
    index.add('c', ['x', 'x', 'x.*', 'x.*'], undefined)
    expect(index.lookup('s', 'order')).toEqual(['a', 'b'])
    index.remove('a')
    index.remove('c')
    index.remove('unknown')
    expect(['order', 'order.placed', 'x'].map((type) => index.lookup('s', type))).toEqual([['b'], ['b'], ['b']])
  })
  test('stays right past the number of pairs it remembers', () => {
    const index = createMatchIndex<string>()
    index.add('a', ['t7.*'], undefined)
    const first = index.lookup('s', 't7.x')
    for (let n = 0; n < 10_001; n++) index.lookup('s', `t${n}.y`)
    expect(index.lookup('s', 't7.x')).toEqual(['a'])
    expect(index.lookup('s', 't7.x')).not.toBe(first)
  })
})

test('who reads one source is looked at only for events of that source', () => {
  const index = createMatchIndex<string>()
  for (let n = 0; n < 100; n++) index.add(`r${n}`, ['*'], [`s${n}`, 'shared'])
  index.add('any', ['t'], undefined)
  expect(index.lookup('s7', 't')).toEqual(['r7', 'any'])
  expect(index.lookup('shared', 't')).toHaveLength(101)
  index.remove('r7')
  expect([index.lookup('s7', 't'), index.lookup('s8', 'u')]).toEqual([['any'], ['r8']])
})

test('patterns can match what a prefix wants when one is within the other', () => {
  expect(canMatch(['a.*'], 'a.b.*')).toBe(true)
  expect(canMatch(['a.b.*'], 'a.*')).toBe(true)
  expect(canMatch(['a.*'], 'b.*')).toBe(false)
  expect(canMatch(['*'], 'a.*')).toBe(true)
  expect(canMatch(['*'], 'millrace.*')).toBe(false)
})
