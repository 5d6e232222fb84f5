import { expect, test } from 'vitest'
import { codeOf, filesBelow, isProduct, textOf } from './files.ts'

/** Uses that touch the outside without being handed it. Types (`time: Date`) are no use. */
const forbidden = [
  /\bnew (?:globalThis\.)?Date\b/,
  /(?<![.\w])(?:globalThis\.)?Date\.(?:now|parse|UTC)\b/,
  /(?<![.\w])(?:globalThis\.)?(?:setTimeout|setInterval|setImmediate|queueMicrotask|fetch)\(/,
  /(?<![.\w])(?:globalThis\.)?(?:performance|crypto|process|console)\.\w/,
  /\bMath\.random\b/,
  /\bglobalThis\.(?!Date\b)/,
]

/** Lines that look forbidden and are not, by file, with the reason. May only shrink. */
const waivers: Readonly<Record<string, { readonly uses: readonly string[]; readonly reason: string }>> = {
  'src/core/event.ts': { uses: ['new globalThis.Date'], reason: 'formats a given number; reads no clock' },
}

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
  const found = files.flatMap((path) =>
    usesIn(textOf(path))
      .filter((use) => waivers[path]?.uses.some((waived) => use.endsWith(waived)) !== true)
      .map((use) => `${path}:${use}`),
  )
  expect(found).toEqual([])
})

test('every waiver is still needed', () => {
  for (const [path, { uses }] of Object.entries(waivers)) {
    const found = usesIn(textOf(path))
    for (const use of uses)
      expect(
        found.some((each) => each.endsWith(use)),
        `${path} ${use}`,
      ).toBe(true)
  }
})

test('the scan sees each kind of use, and no comment, string, type or method of that name', () => {
  const bad = ['new Date()', 'Date.now()', 'setTimeout(f, 1)', 'process.exit()', 'globalThis.fetch(u)', 'Math.random()']
  for (const use of bad) expect(usesIn(`const a = ${use}`), use).toHaveLength(1)
  const good = ['// new Date()', "const a = 'Date.now()'", 'let t: Date', 'platform.crypto.id()', 'process(input) {']
  for (const use of good) expect(usesIn(use), use).toEqual([])
})
