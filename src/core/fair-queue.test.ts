import { expect, test } from 'vitest'
import { FairQueue } from './fair-queue.ts'

test('groups take turns, and within a group the order stays', () => {
  const queue = new FairQueue<string>((item) => item[0]!)
  for (const item of ['a1', 'a2', 'a3', 'b1', 'a4', 'c1', 'c2']) queue.push(item)
  const got: string[] = []
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) got.push(item)
  expect(got).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3', 'a4'])
  expect([queue.size, queue.shift()]).toEqual([0, undefined])
})

test('a group that comes back stands behind those that wait', () => {
  const queue = new FairQueue<string>((item) => item[0]!)
  queue.push('a1')
  queue.push('b1')
  expect(queue.shift()).toBe('a1')
  queue.push('a2')
  expect(queue.peek()).toBe('b1')
  expect(queue.shift()).toBe('b1')
  expect(queue.size).toBe(1)
  queue.shift()
  expect(queue.peek()).toBeUndefined()
})
