import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Coalescing, coalesceKey } from './coalesce.ts'

const policy = { windowMs: 100, maxWaitMs: 250 }
const key = 'order.changed order-1'

// S0-33 S0-37 S0-39
test('the key is type and subject, and without a subject there is none', () => {
  expect(coalesceKey('a.b', 's')).not.toBe(coalesceKey('a.c', 's'))
  expect(coalesceKey('a.b', 's')).not.toBe(coalesceKey('a.b', 't'))
  expect(coalesceKey('a.b', undefined)).toBeUndefined()
})

// S0-34 G22
test('a newer event takes the place of one that waits, and the wait has an end', () => {
  const keys = new Coalescing(policy)
  expect(keys.arrive(key, 1, 0)).toEqual({ sequence: 1, dueAt: 100, group: { count: 1, firstAt: 0, lastAt: 0 } })
  expect(keys.arrive(key, 2, 90)).toMatchObject({ dueAt: 190, superseded: 1, group: { count: 2 } })
  expect(keys.arrive(key, 3, 180)).toMatchObject({ dueAt: 250, superseded: 2 })
  expect(keys.isOpen(key, 2)).toBe(false)
  expect(keys.isOpen(key, 3)).toBe(true)
  expect(keys.seal(key)).toEqual({ count: 3, firstAt: 0, lastAt: 180 })
  expect(keys.end(key)).toBeUndefined()
  expect(keys.size).toBe(0)
})

test('what is sealed can be asked for, and whether something newer waits behind it', () => {
  const keys = new Coalescing(policy)
  expect(keys.sealed(key)).toBeUndefined()
  keys.arrive(key, 1, 0)
  expect(keys.sealed(key)).toBeUndefined()
  keys.seal(key)
  const group = { count: 1, firstAt: 0, lastAt: 0 }
  expect(keys.sealed(key)).toEqual({ sequence: 1, group, isAlone: true })
  keys.arrive(key, 2, 10)
  expect(keys.sealed(key)).toEqual({ sequence: 1, group, isAlone: false })
})

// G22
test('a sealed group absorbs nothing: what arrives meanwhile waits its own time, and for its end', () => {
  const keys = new Coalescing(policy)
  keys.arrive(key, 1, 0)
  keys.seal(key)
  expect(keys.arrive(key, 2, 50)).toEqual({ sequence: 2, dueAt: 150, group: { count: 1, firstAt: 50, lastAt: 50 } })
  expect(keys.mayStart(key)).toBe(false)
  expect(keys.end(key)).toMatchObject({ sequence: 2, dueAt: 150 })
  expect(keys.mayStart(key)).toBe(true)
})

test('a group that waits for a retry is superseded and keeps its time', () => {
  const keys = new Coalescing(policy)
  keys.arrive(key, 1, 0)
  keys.seal(key)
  expect(keys.reopen(key, 5000)).toEqual({ sequence: 1, dueAt: 5000, group: { count: 1, firstAt: 0, lastAt: 0 } })
  expect(keys.arrive(key, 2, 200)).toMatchObject({ dueAt: 5000, superseded: 1, group: { count: 2, firstAt: 0 } })
})

test('an event is due no earlier than its own notBefore, and one that supersedes it has its own time', () => {
  const keys = new Coalescing(policy)
  expect(keys.arrive(key, 1, 0, 9000)).toMatchObject({ dueAt: 9000 })
  expect(keys.arrive(key, 2, 10)).toMatchObject({ dueAt: 110, superseded: 1 })
  keys.seal(key)
  keys.arrive(key, 3, 20, 9000)
  expect(keys.reopen(key, 5000)).toMatchObject({ sequence: 3, dueAt: 9000, superseded: 2 })
  expect(keys.arrive(key, 4, 30)).toMatchObject({ dueAt: 5000, superseded: 3 })
  const again = new Coalescing(policy)
  again.restore(key, { sequence: 3, dueAt: 9000, group: { count: 1, firstAt: 0, lastAt: 0 } }, false)
  expect(again.arrive(key, 4, 30)).toMatchObject({ dueAt: 130, superseded: 3 })
  again.restore(key, { sequence: 2, dueAt: 700, group: { count: 1, firstAt: 0, lastAt: 0 } }, true)
  expect(again.arrive(key, 5, 40)).toMatchObject({ dueAt: 130, superseded: 4 })
  again.restore(key, { sequence: 6, dueAt: 800, group: { count: 1, firstAt: 0, lastAt: 0 } }, false)
  expect(again.arrive(key, 7, 50)).toMatchObject({ dueAt: 800, superseded: 6 })
})

test('a failed attempt gives way to the group that opened meanwhile', () => {
  const keys = new Coalescing(policy)
  keys.arrive(key, 1, 0)
  keys.seal(key)
  keys.arrive(key, 2, 50)
  expect(keys.reopen(key, 5000)).toEqual({
    sequence: 2,
    dueAt: 5000,
    group: { count: 2, firstAt: 0, lastAt: 50 },
    superseded: 1,
  })
  expect(keys.mayStart(key)).toBe(true)
})

test('what is settled without an attempt leaves its key', () => {
  const keys = new Coalescing(policy)
  keys.arrive(key, 1, 0)
  keys.leave(key, 9)
  expect(keys.isOpen(key, 1)).toBe(true)
  keys.leave(key, 1)
  expect(keys.size).toBe(0)
  keys.arrive(key, 2, 0)
  keys.seal(key)
  keys.leave(key, 2)
  expect(keys.mayStart(key)).toBe(false)
})

// K12
test('after a restart the newest remembered delivery of a key stands for it', () => {
  const row = (sequence: number, count: number) => ({
    sequence,
    dueAt: sequence * 10,
    group: { count, firstAt: sequence, lastAt: sequence + 1 },
  })
  for (const order of [
    [1, 5],
    [5, 1],
  ]) {
    const keys = new Coalescing(policy)
    expect(keys.restore(key, row(order[0]!, 2), true)).toEqual(row(order[0]!, 2))
    expect(keys.restore(key, row(order[1]!, 2), false)).toMatchObject({
      sequence: 5,
      dueAt: 50,
      superseded: 1,
      group: { count: 4, firstAt: 1, lastAt: 6 },
    })
    expect(keys.arrive(key, 6, 60)).toMatchObject({ dueAt: 50 })
  }
})

test('an older one that comes back while a newer is under way is superseded', () => {
  const keys = new Coalescing(policy)
  const old = { sequence: 1, dueAt: 0, group: { count: 1, firstAt: 0, lastAt: 0 } }
  keys.arrive(key, 2, 0)
  keys.seal(key)
  expect(keys.restore(key, old, true)).toMatchObject({ sequence: 2, superseded: 1 })
  expect(keys.restore(key, { ...old, sequence: 3 }, true)).not.toHaveProperty('superseded')
})

// G22
test('over any interleaving the last event is delivered last, every event is counted once, and nothing waits longer than maxWait', () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('arrive' as const), afterMs: fc.integer({ min: 0, max: 120 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom('run', 'fail', 'crash'), afterMs: fc.integer({ min: 0, max: 80 }) }),
    },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let keys = new Coalescing(policy)
      let now = 0
      let sequence = 0
      let stored: { sequence: number; dueAt: number; group: ReturnType<Coalescing['seal']> }[] = []
      let superseded = 0
      const delivered: { sequence: number; count: number }[] = []
      let retried = new Set<number>()
      const put = (arrival: ReturnType<Coalescing['arrive']>): void => {
        const { superseded: gone, ...open } = arrival
        if (gone !== undefined) {
          superseded += 1
          stored = stored.filter((row) => row.sequence !== gone)
          if (retried.has(gone)) retried.add(open.sequence)
        }
        if (!retried.has(open.sequence)) expect(open.dueAt).toBeLessThanOrEqual(open.group.firstAt + policy.maxWaitMs)
        stored = [...stored.filter((row) => row.sequence !== open.sequence), open]
      }
      const run = (outcome: 'run' | 'fail'): void => {
        const due = stored.find((row) => row.dueAt <= now && keys.isOpen(key, row.sequence))
        if (due === undefined || !keys.mayStart(key)) return
        const group = keys.seal(key)
        expect(group).toEqual(due.group)
        if (outcome === 'fail') {
          retried.add(due.sequence)
          put(keys.reopen(key, now + 500))
          return
        }
        delivered.push({ sequence: due.sequence, count: group.count })
        stored = stored.filter((row) => row !== due)
        keys.end(key)
      }
      const act = (what: 'arrive' | 'run' | 'fail' | 'crash'): void => {
        if (what === 'arrive') put(keys.arrive(key, ++sequence, now))
        else if (what === 'crash') {
          keys = new Coalescing(policy)
          for (const row of stored) put(keys.restore(key, row, false))
          retried = new Set([...retried, ...stored.map((row) => row.sequence)])
        } else run(what)
      }
      for (const { do: what, afterMs } of steps) {
        now += afterMs
        act(what as never)
      }
      while (stored.length > 0) {
        now = Math.max(now, stored[0]!.dueAt)
        run('run')
      }
      expect(delivered.map((one) => one.sequence)).toEqual(delivered.map((one) => one.sequence).sort((a, b) => a - b))
      expect(delivered.at(-1)?.sequence ?? 0).toBe(sequence)
      expect(delivered.reduce((sum, { count }) => sum + count, 0)).toBe(sequence)
      expect(delivered.length + superseded).toBe(sequence)
      expect(keys.size).toBe(0)
    }),
    { numRuns: 500 },
  )
})

// G22
test('after a restart a delivery that clients have is still sealed: it takes in nothing, and the next group waits for its end', () => {
  const keys = new Coalescing(policy)
  keys.restoreSealed(key, 1, { count: 3, firstAt: 0, lastAt: 20 })
  expect(keys.arrive(key, 2, 100).superseded).toBeUndefined()
  expect(keys.mayStart(key)).toBe(false)
  expect(keys.end(key)).toMatchObject({ sequence: 2, group: { count: 1 } })
  expect(keys.mayStart(key)).toBe(true)
})

test('a retry that waits stays one when another event of its key is remembered', () => {
  const keys = new Coalescing(policy)
  const group = { count: 1, firstAt: 0, lastAt: 0 }
  keys.restore(key, { sequence: 1, dueAt: 500, group }, true)
  expect(keys.restore(key, { sequence: 2, dueAt: 100, group }, false)).toMatchObject({ superseded: 1, retryAt: 100 })
  const plain = new Coalescing(policy)
  plain.restore(key, { sequence: 1, dueAt: 500, group }, false)
  expect(plain.restore(key, { sequence: 2, dueAt: 100, group }, false)).toMatchObject({ retryAt: undefined })
})
