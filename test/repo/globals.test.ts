import { expect, test } from 'vitest'
import { codeOf, filesBelow, isProduct, textOf } from './files.ts'

/** Uses that touch the outside without being handed it. Turning a given time into text, or back, touches nothing. */
const forbidden = [
  /\bnew (?:globalThis\.)?Date(?!\()/,
  /\bnew (?:globalThis\.)?Date\(\s*\)/,
  /(?<![.\w])(?:globalThis\.)?Date\.now\b/,
  /(?<![.\w])(?:globalThis\.)?(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\(/,
  /(?<![.\w])(?:globalThis\.)?(?:performance|crypto|process|console)\.\w/,
  /\bMath\.random\b/,
  /\bglobalThis\.(?!Date\b)/,
]

function usesIn(text: string): string[] {
  return codeOf(text)
    .split('\n')
    .flatMap((line, index) => {
      const pattern = forbidden.find((each) => each.test(line))
      return pattern === undefined ? [] : [`${index + 1}: ${pattern.exec(line)![0]}`]
    })
}

const files = [...filesBelow('src/core'), ...filesBelow('src/runtime')].filter(isProduct)

test('core and runtime take time, chance and the outside from their parameters', () => {
  expect(files.flatMap((path) => usesIn(textOf(path)).map((use) => `${path}:${use}`))).toEqual([])
})

test('the scan sees each kind of use, and no comment, string, type or method of that name', () => {
  const bad = ['new Date()', 'Date.now()', 'setTimeout(f, 1)', 'process.exit()', 'globalThis.fetch(u)', 'Math.random()']
  for (const use of bad) expect(usesIn(`const a = ${use}`), use).toHaveLength(1)
  const good = [
    '// new Date()',
    "const a = 'Date.now()'",
    'let t: Date',
    'new Date(ms)',
    'platform.crypto.id()',
    'process(input) {',
  ]
  for (const use of good) expect(usesIn(use), use).toEqual([])
})
