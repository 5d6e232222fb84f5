import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Question } from '../../bench/harness.ts'
import { inFlight, quantile, someEvent } from '../../bench/harness.ts'
import { answerOf, median, textOf as tableOf } from '../../bench/report.ts'
import { textOf } from './files.ts'

const question: Question = {
  ask: 'Is b half as fast as a?',
  variants: { a: async () => ({ perSecond: 0 }), b: async () => ({ perSecond: 0 }) },
  targets: [
    { says: 'share', value: (of) => of['b']!['perSecond']! / of['a']!['perSecond']!, at: 'least', goal: 0.5 },
    { says: 'ms', value: (of) => of['b']!['ms']!, at: 'most', goal: 5, holdsQuick: false },
  ],
}
const runs = {
  a: [{ perSecond: 100 }, { perSecond: 300 }, { perSecond: 200 }],
  b: [
    { perSecond: 80, ms: 10 },
    { perSecond: 90, ms: 10 },
    { perSecond: 1000, ms: 10 },
  ],
}

test('medians are compared, raw values are kept, and a ratio below 1 is not met', () => {
  const answer = answerOf('half', question, runs, false)
  expect(answer.medians).toEqual({ a: { perSecond: 200 }, b: { perSecond: 90, ms: 10 } })
  expect(answer.raw['b']!['perSecond']).toEqual([80, 90, 1000])
  expect(answer.targets.map(({ value, isMet }) => [value, isMet])).toEqual([
    [0.45, false],
    [10, false],
  ])
  expect(answer.targets[1]!.ratio).toBe(0.5)
  expect(tableOf(answer)).toContain('| b | perSecond | 90 | 80 · 90 · 1,000 |')
})

test('targets that mean nothing at quick sizes are left out there', () => {
  expect(answerOf('half', question, runs, true).targets.map(({ says }) => says)).toEqual(['share'])
})

test('median and quantile', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(quantile([5, 1, 4, 2, 3], 0.5)).toBe(3)
  expect(quantile([1, 2], 1)).toBe(2)
})

test('inFlight runs every task, never more at once than its width', async () => {
  let running = 0
  let most = 0
  const done: number[] = []
  await inFlight(10, 3, async (index) => {
    most = Math.max(most, ++running)
    await Promise.resolve()
    running--
    done.push(index)
  })
  expect(done.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(most).toBe(3)
})

test('the data of a benchmark event is about 220 bytes', () => {
  const bytes = JSON.stringify(someEvent(123_456).data).length
  expect(bytes).toBeGreaterThan(200)
  expect(bytes).toBeLessThan(260)
})

test('the README of the benchmarks names every question', () => {
  const questions = readdirSync(new URL('../../bench/', import.meta.url))
    .filter((file) => file.endsWith('.ts') && textOf(`bench/${file}`).includes('export const question'))
    .map((file) => file.slice(0, -3))
  const named = new Set([...textOf('bench/README.md').matchAll(/^\| `([\w-]+)`/gm)].map((match) => match[1]!))
  expect([...named].sort()).toEqual(questions.sort())
})

test('every figure of the README stands in the result that it links to', () => {
  const rows = [...textOf('README.md').matchAll(/^\| .* \| (.*) \| \[\w+\]\((bench\/results\/\S+\.md)\) \|$/gm)]
  expect(rows.length).toBeGreaterThan(3)
  const missing = rows.flatMap(([, reached, page]) => {
    const result = textOf(page!)
    const figures = reached!.match(/\d[\d,.]*\d/g) ?? ['none']
    return figures.filter((figure) => !result.includes(` ${figure} `)).map((figure) => `${page}: ${figure}`)
  })
  expect(missing).toEqual([])
})
