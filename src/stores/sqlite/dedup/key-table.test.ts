import { expect, test } from 'vitest'
import { KeyTable } from './key-table.ts'

const hashOf = (...words: number[]): Uint32Array => Uint32Array.from(words)

test('keys come out sorted, however their home slots collide', () => {
  const table = new KeyTable(16)
  const keys = [0, 0, 0xffffffff, 0xffffffff, 0x80000000, 1, 0xfffffffe, 0x7fffffff].map((a, index) =>
    hashOf(a, 9 - index, 3, 4),
  )
  for (const [index, key] of keys.entries()) table.add(key, index + 1)
  const seen: string[] = []
  for (let slot = 0; slot !== -1; ) {
    slot = table.visitSorted(slot, 1, { add: (a, b, _c, _d, sequence) => seen.push(`${a} ${b} ${sequence}`) })
  }
  const expected = keys
    .map((key, index) => ({ key, sequence: index + 1 }))
    .sort((x, y) => x.key[0]! - y.key[0]! || x.key[1]! - y.key[1]!)
    .map(({ key, sequence }) => `${key[0]} ${key[1]} ${sequence}`)
  expect(seen).toEqual(expected)
})

test('a key is found by all of its words, and only beyond the given sequence', () => {
  const table = new KeyTable(16)
  table.add(hashOf(5, 1, 1, 1), 7)
  table.add(hashOf(5, 1, 1, 1), 9)
  expect(table.find(hashOf(5, 1, 1, 1), 0)).toBe(7)
  expect(table.find(hashOf(5, 1, 1, 1), 7)).toBe(9)
  expect(table.find(hashOf(5, 1, 1, 2), 0)).toBe(0)
  expect(table.find(hashOf(6, 1, 1, 1), 0)).toBe(0)
})

test('more keys than usual with one home slot come out sorted, too', () => {
  const table = new KeyTable(1024)
  const count = 700
  for (let n = 1; n <= count; n++) table.add(hashOf(7, (n * 7919) % 1009, 3, 4), n)
  const seen: number[] = []
  expect(table.visitSorted(0, count, { add: (_a, b) => seen.push(b) })).toBeGreaterThan(0)
  expect(seen).toHaveLength(count)
  expect(seen).toEqual([...seen].sort((x, y) => x - y))
  expect(table.visitSorted(2 * table.capacity + 8192, 1, { add: () => expect.unreachable() })).toBe(-1)
})
