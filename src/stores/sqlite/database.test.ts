import { expect, test } from 'vitest'
import { isOldSqlite } from './database.ts'

// SEC-85
test.each([
  ['3.51.3', false],
  ['3.51.4', false],
  ['3.52.0', false],
  ['3.100.0', false],
  ['4.0', false],
  ['3.51.2', true],
  ['3.51', true],
  ['3.50.9', true],
  ['3.9.99', true],
  ['2.99.99', true],
  ['0', true],
])('SQLite %s is too old to be safe: %s', (version, isOld) => {
  expect(isOldSqlite(version)).toBe(isOld)
})
