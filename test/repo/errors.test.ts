import { expect, test } from 'vitest'
import { errorCodes } from '../../src/core/errors.ts'
import { errorAdvice, errorPage } from './error-page.ts'
import { codeOf, filesBelow, isProduct, textOf } from './files.ts'

test('every error code has a page, and every page a code', () => {
  expect(Object.keys(errorAdvice).sort()).toEqual(Object.keys(errorCodes).sort())
})

test('docs/reference/errors.md is what the code says (npm run docs)', () => {
  expect(textOf('docs/reference/errors.md')).toBe(errorPage())
})

test('every error code is raised somewhere', () => {
  const code = filesBelow('src')
    .filter((path) => isProduct(path) && path !== 'src/core/errors.ts')
    .map((path) => codeOf(textOf(path), { keepStrings: true }))
    .join('\n')
  expect(Object.keys(errorCodes).filter((name) => !code.includes(`'${name}'`))).toEqual([])
})
