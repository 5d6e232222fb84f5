import { expect, test } from 'vitest'
import { textOf } from './files.ts'
import { citations, citationsIn, idsOf, requirements, requirementsPage } from './requirements.ts'

test('a test names only requirements that there are', () => {
  const unknown = citations().filter(({ id }) => requirements[id] === undefined)
  expect(unknown).toEqual([])
})

test('docs/requirements.md is what the tests say (npm run docs)', () => {
  expect(textOf('docs/requirements.md')).toBe(requirementsPage())
})

test('ids are read at the beginning of a comment and from the list of a case', () => {
  const mark = '/'.repeat(2)
  expect(idsOf(`${mark} S0-14, G17 · SEC-32: also when full`)).toEqual(['S0-14', 'G17', 'SEC-32'])
  expect(idsOf(`  ids: ['S0-14', 'K3'],`)).toEqual(['S0-14', 'K3'])
  expect(idsOf(`${mark} as K2 shows`)).toEqual([])
  expect(idsOf('const id = "S0-14"')).toEqual([])
})

test('a citation carries the promise of the test it stands at', () => {
  const mark = '/'.repeat(2)
  const text = [
    `${mark} S0-14`,
    "test('keeps the rest of a batch', () => {",
    `  ${mark} K1`,
    '})',
    `test(`,
    `  'is long', () => {}) ${mark} G1`,
  ].join('\n')
  expect(citationsIn('a.test.ts', text).map(({ id, promise }) => [id, promise])).toEqual([
    ['S0-14', 'keeps the rest of a batch'],
    ['K1', 'is long'],
    ['G1', 'is long'],
  ])
})

test('the page says of each requirement whether a test names it', () => {
  const page = requirementsPage([{ id: 'S0-14', path: 'a.test.ts', promise: 'keeps | the rest' }])
  expect(page).toMatch(/\| S0-14 \| I \| tested \|.*`a\.test\.ts`: keeps \\\| the rest \|/)
  expect(page).toMatch(/\| S0-01 \| S \| no test yet \|/)
})
