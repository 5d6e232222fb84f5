import { expect, test } from 'vitest'
import { nextLink } from './link.ts'

test.each([
  ['<https://a/2>; rel="next"', 'https://a/2'],
  ['<https://a/2>;rel=next', 'https://a/2'],
  ['<https://a/1>; rel="prev", <https://a/3>; rel="next"', 'https://a/3'],
  ['<https://a/3?x=1,2>; rel="last next"', 'https://a/3?x=1,2'],
  ['<https://a/2>; title="a, b; rel=none"; rel="next"', 'https://a/2'],
  ['<https://a/2>; REL="Next"', 'https://a/2'],
  ['<https://a/2>; rel="nextish"', undefined],
  ['<https://a/2>; rel="prev"', undefined],
  ['no link at all', undefined],
  ['', undefined],
  [undefined, undefined],
])('the next page of %j is %j', (header, url) => {
  expect(nextLink(header)).toBe(url)
})

test('a hostile header costs no time', () => {
  for (const part of ['<a>; rel="', ', , ', '; rel= ', '<<', '"']) expect(nextLink(part.repeat(1_600))).toBeUndefined()
  expect(nextLink(`${' '.repeat(20_000)}<a>; rel=next`)).toBeUndefined()
})
