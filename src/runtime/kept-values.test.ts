import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Json } from '../core/event.ts'
import type { KeptRow } from '../core/ledger-state.ts'
import { type Kept, KeptValues, keptChange } from './kept-values.ts'

/** A store that takes over what was left only at a flush. */
function world(capacity?: number, isNew = false) {
  const stored = new Map<string, KeptRow>()
  let unwritten: KeptRow[] = []
  let reads = 0
  const flush = async (): Promise<void> => {
    const writing = unwritten
    unwritten = []
    await new Promise((resolve) => setImmediate(resolve))
    for (const row of writing) {
      if (row.value === null) stored.delete(row.key)
      else stored.set(row.key, row)
    }
  }
  const due: number[] = []
  const around = {
    subscription: 's',
    ledger: { keep: (row: KeptRow) => void unwritten.push(row) },
    store: {
      kept: async (_: string, query: { readonly keys?: readonly string[] }) => {
        reads += 1
        const rows = query.keys!.flatMap((key) => stored.get(key) ?? [])
        await new Promise((resolve) => setImmediate(resolve))
        return rows
      },
    },
    flush,
    onDue: (at: number) => void due.push(at),
    isNew,
  }
  return {
    stored,
    flush,
    due,
    reads: () => reads,
    values: new KeptValues('count', around as never, capacity),
  }
}

async function use<T>(values: KeptValues, key: string, work: (kept: Kept) => T | Promise<T>): Promise<T> {
  const kept = await values.acquire(key)
  try {
    return await work(kept)
  } finally {
    values.release(key)
  }
}

const add = (values: KeptValues, key: string) =>
  use(values, key, ({ value }) => {
    const next = Number(value ?? 0) + 1
    values.set(key, keptChange({ value: next }))
    return next
  })

// G9
test('work on one key runs one after another and sees what the work before it left', async () => {
  const { values, stored, flush, reads } = world()
  const counts = await Promise.all(Array.from({ length: 50 }, (_, i) => add(values, `k${i % 5}`)))
  expect(counts.filter((count) => count === 10).length).toBe(5)
  expect(reads()).toBe(1)
  await flush()
  expect([...stored.values()].map(({ value }) => value)).toEqual(['10', '10', '10', '10', '10'])
})

test('slow work keeps the key until it ends, also when it fails', async () => {
  const { values } = world()
  const order: string[] = []
  const first = use(values, 'a', async () => {
    await new Promise((resolve) => setImmediate(resolve))
    order.push('first')
    throw new Error('broken')
  })
  const second = use(values, 'a', () => void order.push('second'))
  await expect(first).rejects.toThrow('broken')
  await second
  expect(order).toEqual(['first', 'second'])
  expect(values.acquire('a')).not.toBeInstanceOf(Promise)
})

test('a value is frozen, removed by null, and tells when it is due', async () => {
  const { values, due, stored, flush } = world()
  await use(values, 'a', () => values.set('a', keptChange({ value: { n: 1 }, dueAt: 77 })))
  expect(due).toEqual([77])
  await use(values, 'a', ({ value, dueAt }) => {
    expect(dueAt).toBe(77)
    expect(() => Object.assign(value as object, { n: 2 })).toThrow()
    values.set('a', keptChange({ value: null }))
  })
  await flush()
  expect(stored.size).toBe(0)
  expect(await use(values, 'a', ({ value }) => value)).toBeUndefined()
})

test('of a new stage nothing is read before something was forgotten', async () => {
  const { values, reads, flush } = world(8, true)
  for (let n = 0; n < 8; n++) expect(values.acquire(`k${n}`)).not.toBeInstanceOf(Promise)
  for (let n = 0; n < 8; n++) values.release(`k${n}`)
  expect(await Promise.all([add(values, 'k1'), add(values, 'k1')])).toEqual([1, 2])
  expect(reads()).toBe(0)
  for (let n = 0; n < 12; n++) await add(values, `m${n}`)
  await flush()
  expect(await add(values, 'k1')).toBe(3)
  expect(reads()).toBe(1)
})

test.each([false, true])(
  'what is forgotten to make room is read again as it was last left, new (%s) or not',
  async (isNew) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.boolean()), { maxLength: 120 }),
        async (steps) => {
          const { values, flush } = world(8, isNew)
          const expected = new Map<string, number>()
          const work: unknown[] = []
          for (const [number, waits] of steps) {
            const key = `k${number}`
            expected.set(key, (expected.get(key) ?? 0) + 1)
            work.push(add(values, key))
            if (waits) await new Promise((resolve) => setImmediate(resolve))
          }
          await Promise.all(work)
          await flush()
          const got = new Map<string, Json | undefined>()
          for (const key of expected.keys()) got.set(key, await use(values, key, ({ value }) => value))
          expect(Object.fromEntries(got)).toEqual(Object.fromEntries(expected))
        },
      ),
      { numRuns: 100 },
    )
  },
)

test('large values are forgotten by their length, once they are stored, and read again', async () => {
  const { values, flush, reads } = world(undefined, true)
  const large = 'x'.repeat(20 * 1024 * 1024)
  for (let n = 0; n < 5; n++) {
    await use(values, `k${n}`, () => values.set(`k${n}`, keptChange({ value: large })))
    await flush()
  }
  await new Promise((resolve) => setImmediate(resolve))
  const before = reads()
  for (let n = 0; n < 5; n++) await use(values, `k${n}`, ({ value }) => expect(value).toBe(large))
  expect(reads()).toBeGreaterThan(before)
})
