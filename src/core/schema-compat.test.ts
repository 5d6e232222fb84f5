import { describe, expect, test } from 'vitest'
import { compareSchemas } from './schema-compat.ts'

const order = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string' }, total: { type: 'number' } },
}

function breaks(old: unknown, next: unknown): string[] {
  return compareSchemas(old, next).reasons.map(({ breaks: what, path, message }) => `${what} ${path}: ${message}`)
}

describe('comparing two versions of a schema', () => {
  // S3-24
  test('calls the same schema, also spelled otherwise, fully compatible', () => {
    const spelled = {
      properties: { total: { type: ['number'] }, id: { type: 'string' } },
      required: ['id'],
      type: 'object',
      title: 'Order',
    }
    expect(compareSchemas(order, spelled)).toEqual({ compatibility: 'full', reasons: [] })
  })

  test('calls a new optional property fully compatible', () => {
    const next = { ...order, properties: { ...order.properties, note: { type: 'string' } } }
    expect(compareSchemas(order, next).compatibility).toBe('full')
  })

  test('says that a property which becomes required breaks readers of old data', () => {
    const next = { ...order, required: ['id', 'total'] }
    expect(compareSchemas(order, next)).toEqual({
      compatibility: 'forward',
      reasons: [{ breaks: 'backward', path: '/total', message: 'is required now' }],
    })
    expect(compareSchemas(next, order)).toEqual({
      compatibility: 'backward',
      reasons: [{ breaks: 'forward', path: '/total', message: 'is no longer required' }],
    })
  })

  test('says which types are lost and gained', () => {
    expect(breaks({ type: 'number' }, { type: 'integer' })).toEqual([
      'backward : type narrowed: number is not allowed any more',
    ])
    expect(breaks({ type: 'string' }, { type: ['string', 'null'] })).toEqual([
      'forward : type widened: null is allowed now',
    ])
    expect(compareSchemas({ type: 'string' }, { type: 'number' }).compatibility).toBe('breaking')
    expect(breaks({ enum: ['a', null, 1, 1.5, [1], {}, true] }, {})).toEqual([
      'forward : any value is allowed now, not only listed ones',
    ])
    expect(breaks({ enum: [null, 1, 1.5, [], {}, true] }, { type: 'string' })[0]).toBe(
      'backward : type narrowed: null, integer, number, array, object, boolean is not allowed any more',
    )
  })

  test('says which listed values are lost and gained', () => {
    expect(breaks({ enum: ['a', 'b'] }, { enum: ['a'] })).toEqual([
      'backward : enum reduced: "b" is not allowed any more',
    ])
    expect(breaks({ const: 'a' }, { enum: ['a', 'b'] })).toEqual(['forward : enum extended: "b" is allowed now'])
    expect(breaks({ type: 'string' }, { type: 'string', enum: ['a'] })).toEqual([
      'backward : only listed values are allowed now',
    ])
  })

  test('says which bounds are tighter and looser', () => {
    expect(breaks({ minimum: 1, maximum: 9 }, { minimum: 2, maximum: 9 })).toEqual([
      'backward : minimum is tighter: 2, before 1',
    ])
    expect(breaks({ maxLength: 5 }, {})).toEqual(['forward : maxLength is looser: none, before 5'])
    expect(breaks({ maxLength: 5 }, { maxLength: 6 })).toEqual(['forward : maxLength is looser: 6, before 5'])
    expect(compareSchemas({ minimum: 2, maxItems: 3 }, { minimum: 2, maxItems: 3 }).compatibility).toBe('full')
  })

  test('judges what it does not compute by equality, and says so', () => {
    expect(breaks({ pattern: '^a' }, { pattern: '^b' })).toEqual([
      'backward : pattern changed, which cannot be judged',
      'forward : pattern changed, which cannot be judged',
    ])
    expect(breaks({}, { format: 'email' })).toEqual(['backward : format was added'])
    expect(breaks({ format: 'email' }, {})).toEqual(['forward : format was removed'])
    expect(breaks({ pattern: '^a' }, { pattern: '^a' })).toEqual([])
    expect(breaks({ oneOf: [{ type: 'string' }] }, { oneOf: [{ type: 'string' }] })).toEqual([])
  })

  test('knows multiples, and what lets everything through', () => {
    expect(breaks({ multipleOf: 10 }, { multipleOf: 5 })).toEqual([
      'forward : multipleOf changed, which cannot be judged',
    ])
    expect(breaks({}, { uniqueItems: false, propertyNames: true, not: false })).toEqual(['backward : not was added'])
    expect(breaks({}, { unevaluatedProperties: false })).toEqual(['backward : unevaluatedProperties was added'])
  })

  test('sees into objects and lists', () => {
    const deep = (type: string) => ({
      properties: { a: { type: 'array', items: { properties: { 'b/c': { type } } } } },
    })
    expect(breaks(deep('number'), deep('integer'))).toEqual([
      'backward /a/*/b~1c: type narrowed: number is not allowed any more',
    ])
    expect(breaks({ type: 'array' }, { type: 'array', items: { type: 'string' } })[0]).toMatch(
      /^backward \/\*: type narrowed/,
    )
    expect(
      breaks(
        { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'string' } },
        {
          type: 'array',
          prefixItems: [{ type: 'string' }, { maxLength: 3, type: 'string' }],
          items: { type: 'string' },
        },
      ),
    ).toEqual(['backward /1: maxLength is tighter: 3, before none'])
    expect(
      breaks(
        { type: 'array', prefixItems: [{ type: 'string' }, { maxLength: 3 }] },
        { type: 'array', prefixItems: [{ type: 'string' }] },
      ),
    ).toEqual(['forward /1: maxLength is looser: none, before 3'])
  })

  test('knows that a closed object takes no other property', () => {
    const closed = { ...order, additionalProperties: false }
    const more = { ...closed, properties: { ...closed.properties, note: {} } }
    expect(compareSchemas(closed, more)).toEqual({
      compatibility: 'backward',
      reasons: [{ breaks: 'forward', path: '/note', message: 'property added, where none were allowed' }],
    })
    expect(breaks(more, closed)).toEqual(['backward /note: property removed, and others are not allowed'])
    expect(breaks(order, closed)).toEqual(['backward : other properties are not allowed any more'])
    expect(breaks(closed, { ...order, additionalProperties: { type: 'string' } })).toEqual([
      'forward : other properties are allowed now',
    ])
  })

  test('compares what other properties may be', () => {
    const of = (type: string) => ({ type: 'object', additionalProperties: { type } })
    expect(breaks(of('number'), of('integer'))).toEqual(['backward /*: type narrowed: number is not allowed any more'])
    expect(breaks({ type: 'object', properties: { a: { type: 'number' } } }, of('integer'))[0]).toBe(
      'backward /a: type narrowed: number is not allowed any more',
    )
    expect(breaks(of('string'), { type: 'object', additionalProperties: true })[0]).toMatch(
      /^forward \/\*: type widened/,
    )
  })

  test('takes an anyOf that grows as readable by the new, and one that shrinks as readable by the old', () => {
    const a = { anyOf: [{ type: 'string' }] }
    const b = { anyOf: [{ type: 'string' }, { type: 'number' }] }
    expect(breaks(a, b)).toEqual(['forward : anyOf: variant 1 is new'])
    expect(breaks(b, a)).toEqual(['backward : anyOf: variant 1 fits no variant any more'])
    expect(breaks({ type: 'string' }, a)).toEqual([])
    expect(breaks({ anyOf: [{ type: 'string' }, { $ref: 'other.json' }] }, { type: 'string' })[0]).toBe(
      'backward : anyOf: variant 1 fits no variant any more',
    )
  })

  test('follows references inside the schema, also of one that contains itself', () => {
    const tree = (type: string) => ({
      $defs: { 'a/b': { type: 'object', properties: { value: { type }, next: { $ref: '#/$defs/a~1b' } } } },
      $ref: '#/$defs/a~1b',
    })
    expect(breaks(tree('number'), tree('integer'))).toEqual([
      'backward /value: type narrowed: number is not allowed any more',
    ])
    const self = { type: 'object', properties: { next: { $ref: '#' } } }
    expect(breaks(self, self)).toEqual([])
    expect(breaks({ $defs: { never: false }, $ref: '#/$defs/never' }, { type: 'string' })).toEqual([
      'forward : is allowed now',
    ])
  })

  test('does not judge references that lead out, nowhere, or in a circle', () => {
    for (const $ref of ['other.json', '#anchor', '#/$defs/no'])
      expect(breaks({}, { $ref })[0]).toBe('backward : a $ref leads out of the schema and cannot be judged')
    const circle = { $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }
    expect(compareSchemas(circle, circle).compatibility).toBe('breaking')
  })

  test('knows the schemas true and false', () => {
    expect(breaks(true, {})).toEqual([])
    expect(breaks(true, false)).toEqual(['backward : is not allowed any more'])
    expect(breaks({ type: 'string', not: {} }, false)).toEqual([])
    expect(breaks(false, true)).toEqual(['forward : is allowed now'])
  })

  test('takes members of a wrong kind as absent', () => {
    expect(breaks({ properties: 1, required: 2, enum: 3, anyOf: 4 }, { properties: [], prefixItems: 5 })).toEqual([])
    expect(breaks({ minimum: 'a' }, { minimum: 1 })).toEqual(['backward : minimum is tighter: 1, before none'])
  })
})
