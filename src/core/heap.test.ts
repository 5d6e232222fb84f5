import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap } from './heap.ts'

const step = fc.oneof(
  fc.record({ kind: fc.constant('push'), value: fc.integer({ min: 0, max: 20 }) } as const),
  fc.record({ kind: fc.constant('pop') } as const),
  fc.record({ kind: fc.constant('keep'), value: fc.integer({ min: 0, max: 20 }) } as const),
)

test('whatever is added and taken, the least is first', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const heap = new Heap<number>((a, b) => a < b)
      let model: number[] = []
      for (const { kind, ...rest } of steps) {
        const value = 'value' in rest ? rest.value : 0
        if (kind === 'push') {
          heap.push(value)
          model = [...model, value].sort((a, b) => a - b)
        } else if (kind === 'pop') expect(heap.pop()).toBe(model.shift())
        else {
          heap.keep((item) => item >= value)
          model = model.filter((item) => item >= value)
        }
        expect([heap.size, heap.peek()]).toEqual([model.length, model[0]])
      }
    }),
  )
})
