import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Queue } from './queue.ts'

test('a queue gives back what went in, in order, however it is used', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 3000 }), { maxLength: 12 }), (steps) => {
      const queue = new Queue<number>()
      const model: number[] = []
      let next = 0
      for (const step of steps) {
        for (let i = 0; i < step; i++) {
          queue.push(next)
          model.push(next++)
        }
        for (let i = step; i < 0; i++) for (let k = 0; k < 700; k++) expect(queue.shift()).toBe(model.shift())
        expect([queue.size, queue.peek()]).toEqual([model.length, model[0]])
      }
    }),
  )
})

test('clearing empties it', () => {
  const queue = new Queue<number>()
  queue.push(1)
  queue.clear()
  expect([queue.size, queue.shift(), queue.peek()]).toEqual([0, undefined, undefined])
})

test('what has left is let go of while much still waits', () => {
  const queue = new Queue<number>()
  for (let i = 0; i < 2_100; i++) queue.push(i)
  for (let i = 0; i < 1_100; i++) expect(queue.shift()).toBe(i)
  queue.push(2_100)
  expect([queue.size, queue.peek()]).toEqual([1_001, 1_100])
  for (let i = 1_100; i < 2_101; i++) expect(queue.shift()).toBe(i)
  expect(queue.shift()).toBe(undefined)
})
