import { expect, test } from 'vitest'
import { type Field, packRecord } from './record.ts'
import { createTail } from './tail.ts'

function packed(id: string): { fields: Field[]; size: number } {
  const fields: Field[] = []
  const size = packRecord({ source: 's', id, type: 't' }, fields)
  return { fields, size }
}

test('one object serves every reader', () => {
  const tail = createTail(0)
  const { fields, size } = packed('a')
  tail.add(1, 5, fields, 0, size)
  expect(tail.get(1)?.id).toBe('a')
  expect(tail.get(1)).toBe(tail.get(1))
  expect(tail.get(2)).toBeUndefined()
})

// G28
test('it holds at most 16,384 events and 32 MiB, the newest ones', () => {
  const tail = createTail(10)
  const { fields } = packed('a')
  for (let n = 11; n <= 70_010; n++) tail.add(n, 5, fields, 0, 100)
  expect(tail.first()).toBe(70_010 - 16_384 + 1)
  expect(tail.get(tail.first() - 1)).toBeUndefined()
  expect(tail.get(tail.first())?.sequence).toBe(tail.first())
  for (let n = 70_011; n <= 70_050; n++) tail.add(n, 5, fields, 0, 1024 * 1024)
  expect(tail.first()).toBe(70_050 - 32 + 1)
})

// G3: a commit that was reported as indeterminate may be there after all.
test('after a gap nothing before it is served', () => {
  const tail = createTail(0)
  const { fields, size } = packed('a')
  tail.add(1, 5, fields, 0, size)
  tail.add(4, 5, fields, 0, size)
  expect(tail.first()).toBe(4)
  expect([1, 2, 3].map((sequence) => tail.get(sequence))).toEqual([undefined, undefined, undefined])
  expect(tail.get(4)?.sequence).toBe(4)
})
