import { expect, test } from 'vitest'
import { crashPoints } from '../../src/testing/kit/faults.ts'
import { filesBelow, importsOf, isProduct, textOf } from './files.ts'

const files = filesBelow('src/testing').filter(isProduct)

/** How `millrace/testing` is used: beside node:test, vitest, jest or nothing. */
test('what is published for tests needs no test runner', () => {
  const packages = new Set(files.flatMap(importsOf).filter((name) => !name.startsWith('.')))
  expect([...packages].filter((name) => !name.startsWith('node:') || name === 'node:test')).toEqual([])
  const globals = /^\s*(?:describe|test|it|expect|beforeEach|afterEach|vi\.\w+|jest\.\w+)\(/m
  expect(files.filter((path) => globals.test(textOf(path)))).toEqual([])
  expect(globals.test('  expect(1).toBe(1)\n')).toBe(true)
})

test('only tests use it', () => {
  const product = filesBelow('src').filter((path) => isProduct(path) && !path.startsWith('src/testing/'))
  expect(product.filter((path) => importsOf(path).some((name) => /\/testing\//.test(name)))).toEqual([])
})

test('the guide has every point at which a process can be made to crash', () => {
  const rows = [...textOf('docs/guide/testing.md').matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)]
  expect(Object.fromEntries(rows.map(([, point, there]) => [point!, there!]))).toEqual(crashPoints)
})
