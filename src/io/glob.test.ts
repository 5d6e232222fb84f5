import { describe, expect, it, test } from 'vitest'
import { compileGlobs, globProblem } from './glob.ts'

describe('a pattern', () => {
  const cases: readonly [pattern: string, fits: readonly string[], not: readonly string[]][] = [
    ['*.csv', ['a.csv', 'deep/er/b.csv', '.csv'], ['a.csv.bak', 'a.csv/x']],
    ['/*.csv', ['a.csv'], ['deep/a.csv']],
    ['logs/*.txt', ['logs/a.txt'], ['a.txt', 'logs/deep/a.txt', 'other/logs/a.txt']],
    ['logs/**', ['logs', 'logs/a', 'logs/a/b'], ['log', 'logsx/a']],
    ['**/node_modules', ['node_modules', 'a/b/node_modules'], ['node_modules/a']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['a/b', 'z']],
    ['a?c', ['abc', 'aüc', 'a😀c'], ['ac', 'abbc', 'a/c']],
    ['[a-c]x[!0-9]', ['axa', 'cx-'], ['dxa', 'ax1']],
    ['[]x]', [']', 'x'], ['y']],
    ['{a,b*}.{md,txt}', ['a.md', 'bb.txt'], ['c.md', 'a.rs']],
    ['{a,{b,c}d}', ['a', 'bd', 'cd'], ['b', 'd']],
    ['build/', ['build', 'x/build'], ['builds']],
    ['.*', ['.git', 'a/.env'], ['git']],
    ['**', ['a', 'a/b'], []],
  ]
  it.each(cases)('%s', (pattern, fits, not) => {
    const test = compileGlobs([pattern])
    expect(fits.filter((path) => !test(path))).toEqual([])
    expect(not.filter(test)).toEqual([])
  })
})

test('any of several patterns suffices; none match nothing', () => {
  expect(compileGlobs(['*.a', '*.b'])('x.b')).toBe(true)
  expect(compileGlobs([])('x')).toBe(false)
})

test('a pattern that cannot be used says why', () => {
  // SEC-71
  for (const wrong of ['', 'x'.repeat(513), 'a\\b', '{a', 'a}', 'a,b}c', '[a', 'a//b', '../a', 'a/./b'])
    expect(globProblem(wrong), wrong).toBeTypeOf('string')
  expect(globProblem('{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}')).toBeUndefined()
  expect(globProblem('{a,b}'.repeat(10))).toMatch(/1000 alternatives/)
  expect(globProblem('{{{{'.repeat(100))).toBeTypeOf('string')
  expect(() => compileGlobs(['[a'])).toThrow(/without \]/)
})

test('a hostile pattern is matched in no time', () => {
  // SEC-71
  const began = performance.now()
  const test = compileGlobs([`${'*a'.repeat(100)}b`, `${'**/a/'.repeat(50)}b`, `${'{*a,?*}'.repeat(9)}b`])
  expect(test('a'.repeat(250))).toBe(false)
  expect(test(Array.from({ length: 250 }, () => 'a').join('/'))).toBe(false)
  expect(performance.now() - began).toBeLessThan(2000)
})
