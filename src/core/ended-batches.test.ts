import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EndedBatches, rememberedMs } from './ended-batches.ts'
import { batchEnds, type EndedRow } from './ledger-state.ts'

function remembering() {
  const rows = new Map<string, EndedRow>()
  const ended = new EndedBatches((name, row) => {
    if (row === undefined) rows.delete(name)
    else rows.set(name, row)
  })
  return { rows, ended }
}

test('batches that end alike one after the other cost one short row', () => {
  const { rows, ended } = remembering()
  for (let number = 1; number <= 5000; number++) ended.note(3, number, 'confirmed', 1000 + number)
  expect([...rows.values()]).toMatchObject([{ epoch: 3, since: 1001, until: 6000, runs: [[1, 5000, 'confirmed']] }])
})

test('a batch is remembered for a day after its end, and no longer', () => {
  // G23
  const { rows, ended } = remembering()
  ended.note(3, 7, 'confirmed', 1000)
  expect(ended.find(3, 7, 1000 + rememberedMs - 1)).toBe('confirmed')
  expect(ended.find(3, 7, 1000 + rememberedMs)).toBeUndefined()
  expect(ended.find(3, 8, 1000)).toBeUndefined()
  expect(ended.find(2, 7, 1000)).toBeUndefined()
  ended.note(3, 8, 'released', 1001 + rememberedMs)
  expect([...rows.values()].map(({ runs }) => runs)).toEqual([[[8, 1, 'released']]])
})

test('what is remembered is bounded, and the oldest goes first', () => {
  const { rows, ended } = remembering()
  const pages = Array.from({ length: 2000 }, (_, index): EndedRow => {
    const at = { batch: `p-${index}`, since: index, until: index }
    return { kind: 'ended', epoch: 1, ...at, runs: [[index, 1, 'confirmed']] }
  })
  for (const page of pages) rows.set(page.batch, page)
  ended.restore(pages.toReversed())
  ended.note(2, 1, 'confirmed', 2000)
  expect(rows.size).toBe(2000)
  expect(ended.find(1, 0, 2000)).toBeUndefined()
  expect(ended.find(1, 1, 2000)).toBe('confirmed')
})

test('a page of many runs is full, and the next one begins', () => {
  const { rows, ended } = remembering()
  for (let number = 1; number <= 260; number += 2) ended.note(1, number, 'confirmed', number)
  expect([...rows.values()].map(({ runs }) => runs.length)).toEqual([64, 64, 2])
  expect(ended.find(1, 259, 300)).toBe('confirmed')
})

test('whatever ends in whatever order, it is found as it ended, also after a restart', () => {
  const end = fc.record({
    number: fc.integer({ min: 1, max: 40 }),
    end: fc.constantFrom(...batchEnds),
    later: fc.nat(5_000_000),
  })
  fc.assert(
    fc.property(
      fc.uniqueArray(end, { selector: ({ number }) => number, maxLength: 40 }),
      fc.nat(40),
      (ends, restartAt) => {
        const { rows, ended: first } = remembering()
        let ended = first
        let now = 0
        let epoch = 1
        const model: [number, number, string][] = []
        ends.forEach(({ number, end: how, later }, index) => {
          if (index === restartAt) {
            epoch = 2
            ended = new EndedBatches((name, row) => row && rows.set(name, row))
            ended.restore([...rows.values()])
          }
          now += later
          ended.note(epoch, number, how, now)
          model.push([epoch, number, how])
        })
        const restored = new EndedBatches(() => undefined)
        restored.restore([...rows.values()])
        for (const [at, number, how] of model) {
          expect(ended.find(at, number, now)).toBe(how)
          expect(restored.find(at, number, now)).toBe(how)
        }
      },
    ),
  )
})
