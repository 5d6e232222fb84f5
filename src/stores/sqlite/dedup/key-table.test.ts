import { expect, test } from 'vitest'
import { createKeyTable } from './key-table.ts'

const hashOf = (...words: number[]): Uint32Array => Uint32Array.from(words)

test('keys come out sorted, however their home slots collide', () => {
  const table = createKeyTable(16)
  const keys = [0, 0, 0xffffffff, 0xffffffff, 0x80000000, 1, 0xfffffffe, 0x7fffffff].map((a, index) =>
    hashOf(a, 9 - index, 3, 4),
  )
  for (const [index, key] of keys.entries()) table.add(key, index + 1)
  const seen: string[] = []
  for (let slot = 0; slot !== -1; ) {
    slot = table.visitSorted(slot, 1, (a, b, _c, _d, sequence) => seen.push(`${a} ${b} ${sequence}`))
  }
  const expected = keys
    .map((key, index) => ({ key, sequence: index + 1 }))
    .sort((x, y) => x.key[0]! - y.key[0]! || x.key[1]! - y.key[1]!)
    .map(({ key, sequence }) => `${key[0]} ${key[1]} ${sequence}`)
  expect(seen).toEqual(expected)
})

test('a key is found by all of its words, and only beyond the given sequence', () => {
  const table = createKeyTable(16)
  table.add(hashOf(5, 1, 1, 1), 7)
  table.add(hashOf(5, 1, 1, 1), 9)
  expect(table.find(hashOf(5, 1, 1, 1), 0)).toBe(7)
  expect(table.find(hashOf(5, 1, 1, 1), 7)).toBe(9)
  expect(table.find(hashOf(5, 1, 1, 2), 0)).toBe(0)
  expect(table.find(hashOf(6, 1, 1, 1), 0)).toBe(0)
})
