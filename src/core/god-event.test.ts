import { expect, test } from 'vitest'
import { findGodObjects } from './god-event.ts'

const many = Object.fromEntries(Array.from({ length: 5 }, (_, index) => [`p${index}`, { type: 'string' }]))

// S3-18
test('an object with more optional properties than allowed is found, wherever it is', () => {
  expect(findGodObjects({ properties: many }, 4)).toEqual([{ path: '', optional: 5 }])
  const deep = { properties: { list: { items: { properties: { one: { properties: many, required: ['p0'] } } } } } }
  expect(findGodObjects(deep, 3)).toEqual([{ path: '/list/*/one', optional: 4 }])
})

test('required properties do not count, and what is no object schema has none', () => {
  expect(findGodObjects({ properties: many, required: Object.keys(many) }, 0)).toEqual([])
  expect(findGodObjects({ properties: many }, 5)).toEqual([])
  expect(findGodObjects(true, 0)).toEqual([])
  expect(findGodObjects({ properties: many }, 0, '/a'.repeat(300))).toEqual([])
})
