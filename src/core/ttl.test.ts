import { expect, test } from 'vitest'
import { ttlOf } from './ttl.ts'

// S0-72
test('the exact type wins over the longest prefix, that over a shorter one, that over *, that over the default', () => {
  const types = new Map([
    ['a.b.c', 1],
    ['a.b.*', 2],
    ['a.*', 3],
    ['*', 4],
  ])
  const policy = { types, defaultMs: 5 }
  expect(['a.b.c', 'a.b.d', 'a.b.c.d', 'a.x', 'a', 'other'].map((type) => ttlOf(policy, type))).toEqual([
    1, 2, 2, 3, 4, 4,
  ])
  expect(ttlOf(policy, '.a')).toBe(4)
})

test('the default stands where no pattern does, and without one there is no end', () => {
  const types = new Map([['a.*', 3]])
  expect(ttlOf({ types, defaultMs: 5 }, 'b.c')).toBe(5)
  expect(ttlOf({ types, defaultMs: undefined }, 'b.c')).toBeUndefined()
})
