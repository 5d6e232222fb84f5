import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeyOrder } from './order.ts'

const item = (sequence: number) => ({ sequence })

describe('key order', () => {
  test('one delivery of a key runs; the others queue and follow in order', () => {
    // G8
    const order = new KeyOrder<{ sequence: number }>()
    expect(order.arrive('a', item(1))).toBe('run')
    expect(order.arrive('a', item(2))).toBe('queue')
    expect(order.arrive('b', item(3))).toBe('run')
    expect(order.release('a')).toEqual({ kind: 'run', item: item(2) })
    expect(order.release('a')).toBeUndefined()
    expect(order.arrive('a', item(4))).toBe('run')
  })

  test('behind a head that waits, arrivals are held and come back in order', () => {
    const order = new KeyOrder<{ sequence: number }>()
    order.arrive('a', item(1))
    order.arrive('a', item(2))
    expect(order.wouldHold('a')).toBe(false)
    expect(order.block('a', 1)).toEqual([item(2)])
    expect([order.blockedBy('a'), order.wouldHold('a'), order.held('a')]).toEqual([1, true, [2]])
    expect(order.arrive('a', item(3))).toBe('hold')
    expect(order.release('a')).toEqual({ kind: 'load', sequences: [2, 3] })
    expect([order.blockedBy('a'), order.wouldHold('a')]).toEqual([undefined, true])
    expect(order.arrive('a', item(4))).toBe('hold')
    expect(order.leaveHeld('a', 2)).toEqual([3, 4])
    expect([order.held('none'), order.blockedBy('none'), order.wouldHold('none')]).toEqual([[], undefined, false])
  })

  test('a key whose last held delivery runs is busy, no longer blocked', () => {
    const order = new KeyOrder<{ sequence: number }>()
    for (const sequence of [1, 2]) order.arrive('a', item(sequence))
    order.block('a', 1)
    order.release('a')
    order.leaveHeld('a', 2)
    expect([order.wouldHold('a'), order.arrive('a', item(3))]).toEqual([false, 'queue'])
  })

  test('without holding, arrivals queue behind a blocked head', () => {
    const order = new KeyOrder<{ sequence: number }>(false)
    order.arrive('', item(1))
    order.arrive('', item(2))
    expect(order.block('', 1)).toEqual([])
    expect([order.wouldHold(''), order.arrive('', item(3))]).toEqual([false, 'queue'])
    expect([order.release(''), order.release('')]).toEqual([2, 3].map((n) => ({ kind: 'run', item: item(n) })))
  })

  test('what was stored comes back: a blocked key stays blocked, held ones with nothing in front may run', () => {
    const order = new KeyOrder<{ sequence: number }>()
    order.restore('a', { blockedBy: 1 })
    order.restore('a', { blockedBy: 5, held: [2, 3] })
    order.restore('b', { held: [7] })
    expect(order.blockedBy('a')).toBe(1)
    expect(order.runnableHeld()).toEqual(['b'])
  })

  test('whatever fails when, a key is delivered in order and never twice at once', () => {
    // G8 G16
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: fc.constantFrom('a', 'b'), fails: fc.boolean() }), { maxLength: 40 }),
        fc.infiniteStream(fc.nat(3)),
        (events, choices) => {
          const order = new KeyOrder<{ sequence: number }>()
          const keyOf = (sequence: number): string => events[sequence]!.key
          const running = new Set<number>()
          const blocked: number[] = []
          const done: Record<string, number[]> = { a: [], b: [] }
          const failed = new Set<number>()
          const begin = (sequence: number): void => {
            expect([...running].some((other) => keyOf(other) === keyOf(sequence))).toBe(false)
            running.add(sequence)
          }
          const settle = (sequence: number): void => {
            running.delete(sequence)
            const key = keyOf(sequence)
            if (events[sequence]!.fails && !failed.has(sequence)) {
              failed.add(sequence)
              order.block(key, sequence)
              if (order.held(key).includes(sequence)) order.leaveHeld(key, sequence)
              blocked.push(sequence)
              return
            }
            done[key]!.push(sequence)
            if (order.held(key).includes(sequence)) order.leaveHeld(key, sequence)
            const next = order.release(key)
            if (next?.kind === 'run') begin(next.item.sequence)
            if (next?.kind === 'load') begin(next.sequences[0]!)
          }
          const step = (): void => {
            const choice = choices.next().value!
            if (choice === 0 && blocked.length > 0) begin(blocked.shift()!)
            else if (running.size > 0) settle([...running][0]!)
          }
          events.forEach(({ key }, sequence) => {
            if (order.arrive(key, item(sequence)) === 'run') begin(sequence)
            step()
          })
          while (running.size > 0 || blocked.length > 0) {
            if (running.size === 0) begin(blocked.shift()!)
            step()
          }
          for (const key of ['a', 'b']) {
            expect(done[key]).toEqual(events.flatMap((event, sequence) => (event.key === key ? [sequence] : [])))
          }
        },
      ),
    )
  })
})
