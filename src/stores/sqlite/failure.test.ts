import { expect, test } from 'vitest'
import { failureOf, indeterminate, openingFailure } from './failure.ts'

const sqlite = (errcode: number, message: string) => Object.assign(new Error(message), { errcode })
const system = (code: string) => Object.assign(new Error(`${code}: said the system`), { code })

test.each([
  ['EACCES', 'store-readonly'],
  ['EPERM', 'store-readonly'],
  ['EROFS', 'store-readonly'],
  ['ENOSPC', 'store-full'],
  ['EDQUOT', 'store-full'],
  ['ENOENT', 'store-unopenable'],
  ['ENOTDIR', 'store-unopenable'],
  ['EMFILE', 'store-unopenable'],
  ['EWHATEVER', 'internal'],
])('%s of the file system is %s', (code, expected) => {
  const failure = failureOf(system(code), 'backing up to /x.db')
  expect(failure.code).toBe(expected)
  expect(failure.message).toMatch(/^backing up to \/x\.db: E\w+: said the system\. \w/)
})

test.each([
  [1544, 'attempt to write a readonly database', 'store-readonly'],
  [14, 'unable to open database file', 'store-readonly'],
  [26, 'file is not a database', 'store-foreign'],
  [5, 'database is locked', 'store-locked'],
])('opening a file, %i of SQLite (%s) is %s', (errcode, message, expected) => {
  const failure = openingFailure(sqlite(errcode, message), '/x.db')
  expect(failure.code).toBe(expected)
  expect(failure.message).toMatch(/^opening \/x\.db: /)
})

test('a commit that failed says what to do, and of a full disk that it needs space', () => {
  expect(indeterminate(sqlite(13, 'database or disk is full')).message).toMatch(
    /is full\. Free space, and send the same/,
  )
  expect(indeterminate(sqlite(10, 'disk I/O error')).message).toMatch(/error\. Send the same events again/)
})
