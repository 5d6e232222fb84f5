import { expect, test } from 'vitest'
import { type Column, clean, paint, table } from './table.ts'

interface Row {
  readonly name: string
  readonly events: number | undefined
  readonly why: string
}

const columns: readonly Column<Row>[] = [
  { title: 'name', value: ({ name }) => name, style: () => 'red' },
  { title: 'events', value: ({ events }) => events, isNumber: true },
  { title: 'why', value: ({ why }) => why },
]
const plain = { isTty: false, env: {}, columns: undefined }

test('columns line up, numbers to the right, and nothing trails', () => {
  const rows = [
    { name: 'a', events: 1_234, why: 'x' },
    { name: 'longer', events: undefined, why: '' },
  ]
  expect(table(plain, columns, rows)).toBe('name    events  why\na        1,234  x\nlonger       -\n')
})

test('a table that comes in parts keeps the width of its columns', () => {
  const seen: number[] = []
  const part = (name: string) => table(plain, columns, [{ name, events: 1, why: 'x' }], { seen }).split('\n')[1]
  expect([part('longer'), part('a')]).toEqual(['longer       1  x', 'a            1  x'])
})

test('text of events cannot colour, break or reorder a terminal', () => {
  // SEC: what somebody else wrote is shown as text
  const rows = [{ name: '\u001b[31mred\u001b[0m\nx', events: 1, why: 'a\u202eb\u0007' }]
  expect(table(plain, columns, rows).split('\n')[1]).toBe('red\\u000ax       1  a\\u202eb\\u0007')
  expect(clean('x'.repeat(5_000))).toHaveLength(200)
})

test('on a terminal the last column is cut at its edge', () => {
  const rows = [{ name: 'a', events: 1, why: 'y'.repeat(100) }]
  const [, line] = table({ ...plain, columns: 40 }, columns, rows).split('\n')
  expect(line).toHaveLength(39)
  expect(line).toMatch(/…$/)
})

test('wide characters take two columns', () => {
  const rows = [
    { name: '注文', events: 1, why: 'x' },
    { name: 'abcd', events: 1, why: 'x' },
  ]
  const [, wide, narrow] = table(plain, columns, rows).split('\n')
  expect(wide).toBe('注文       1  x')
  expect(narrow).toBe('abcd       1  x')
})

test('colours are for terminals only, and NO_COLOR ends them', () => {
  expect(paint({ isTty: true, env: {} }, 'red', 'x')).toBe('\u001b[31mx\u001b[39m')
  expect(paint({ isTty: true, env: { NO_COLOR: '1' } }, 'red', 'x')).toBe('x')
  expect(paint({ isTty: false, env: {} }, 'red', 'x')).toBe('x')
})

const wide: readonly Column<Row>[] = [
  { title: 'name', value: ({ name }) => name },
  { title: 'at', value: () => '2026-01-01 12:00:00.000', isWhole: true },
  { title: 'dead', value: () => 0, isNumber: true },
  { title: 'events', value: ({ events }) => events, isNumber: true },
  { title: 'why', value: ({ why }) => why },
]

test('no line of a table is longer than the terminal: what says nothing goes first, and times stay whole', () => {
  const rows = [{ name: 'n'.repeat(30), events: 1_234, why: 'y'.repeat(30) }]
  expect(table({ ...plain, columns: 60 }, wide, rows)).toBe(
    `name              at                       events  why\n${'n'.repeat(15)}…  2026-01-01 12:00:00.000   1,234  ${'y'.repeat(7)}…\n`,
  )
  expect(table({ ...plain, columns: 200 }, wide, rows)).toContain('dead')
  const kept = wide.map((column) => (column.title === 'dead' ? { ...column, isWhole: true } : column))
  expect(table({ ...plain, columns: 60 }, kept, rows)).toContain('dead')
})

test('texts are wrapped between words where that is asked for', () => {
  const rows = [{ name: 'a', events: 1, why: 'one two three four five six' }]
  expect(table({ ...plain, columns: 30 }, columns.slice(0, 3), rows, { isWrapped: true })).toBe(
    'name  events  why\na          1  one two three\n              four five six\n',
  )
})
