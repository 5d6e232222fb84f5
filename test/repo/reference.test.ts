import { expect, test } from 'vitest'
import { textOf } from './files.ts'
import { httpPage } from './http-page.ts'

test('docs/reference/http.md is what the contract says (npm run docs)', () => {
  expect(textOf('docs/reference/http.md')).toBe(httpPage())
})

test('the reference names every route once', () => {
  const headings = [...httpPage().matchAll(/^## (.+)$/gm)].map((match) => match[1])
  expect(headings).toContain('POST /v1/events')
  expect(new Set(headings).size).toBe(headings.length)
})
