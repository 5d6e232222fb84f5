import { describe, expect, test } from 'vitest'
import { codeOf, filesBelow, isProduct, textOf } from './files.ts'

const lineLimit = 300
const functionLimit = 60

/** Files over the limit, each with its reason. May only shrink. */
const fileWaivers: Readonly<Record<string, string>> = {}

/** Functions over the limit (`path name`), each with its reason. May only shrink. */
const functionWaivers: Readonly<Record<string, string>> = {
  'src/stores/memory.ts openMemoryStore': 'the methods of the store in one object, each a line or two',
}

interface Sized {
  readonly where: string
  readonly lines: number
}

function linesOf(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
}

/**
 * Functions that begin on a line of their own (declarations, methods, arrow constants). The body ends at the first line
 * with the same indentation that closes it, which our formatter guarantees. Lines of functions inside count for those only:
 * a function that returns an object of functions is read like a class.
 */
function functionsOf(path: string, text: string): Sized[] {
  const lines = codeOf(text).split('\n')
  const begin =
    /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\*? (\w+)|const (\w+) = (?:async )?(?:\([^;]*|\w+ )=>|(?:(?:static|override|get|set|async) )*\*?(#?\w+)\([^;]*\)(?:: [^;]+)? )(?:.*)\{$/
  const spans: { readonly name: string; readonly first: number; readonly last: number }[] = []
  lines.forEach((line, first) => {
    const match = begin.exec(line)
    if (match === null || /^\s*(?:if|for|while|switch|catch|return|else|do|try)\b/.test(line)) return
    const last = lines.findIndex((next, index) => index > first && next.startsWith(`${match[1]}}`))
    if (last > first) spans.push({ name: (match[2] ?? match[3] ?? match[4])!, first, last })
  })
  return spans.map(({ name, first, last }) => {
    const inside = spans.filter((other) => other.first > first && other.last < last)
    const outermost = inside.filter((one) => !inside.some((other) => other.first < one.first && other.last > one.last))
    const nested = outermost.reduce((sum, each) => sum + each.last - each.first + 1, 0)
    return { where: `${path} ${name}`, lines: last - first + 1 - nested }
  })
}

// Tests read as lists of promises; only what ships is measured.
const files = filesBelow('src').filter(isProduct)
const fileSizes = files.map((path) => ({ where: path, lines: linesOf(textOf(path)) }))
const functionSizes = files.flatMap((path) => functionsOf(path, textOf(path)))

function tooLong(sizes: readonly Sized[], limit: number, waivers: Readonly<Record<string, string>>): Sized[] {
  return sizes.filter(({ where, lines }) => lines > limit && waivers[where] === undefined)
}

function notNeeded(sizes: readonly Sized[], limit: number, waivers: Readonly<Record<string, string>>): string[] {
  const over = new Set(sizes.filter(({ lines }) => lines > limit).map(({ where }) => where))
  return Object.keys(waivers).filter((where) => !over.has(where))
}

describe('sizes', () => {
  test(`a file has at most ${lineLimit} lines`, () => {
    expect(tooLong(fileSizes, lineLimit, fileWaivers)).toEqual([])
  })

  test(`a function has at most ${functionLimit} lines`, () => {
    expect(tooLong(functionSizes, functionLimit, functionWaivers)).toEqual([])
  })

  test('every waiver is still needed', () => {
    expect(notNeeded(fileSizes, lineLimit, fileWaivers)).toEqual([])
    expect(notNeeded(functionSizes, functionLimit, functionWaivers)).toEqual([])
  })

  test('the measure finds functions, methods and arrow constants', () => {
    const body = '  x()\n'.repeat(70)
    const text = `export function long(a: string): void {\n${body}}\nclass A {\n  async run(): Promise<void> {\n${body.replaceAll('  x', '    x')}  }\n}\nconst arrow = (): void => {\n${body}}\n`
    const nested = `function outer() {\n  const inner = () => {\n${body}  }\n  return inner\n}\n`
    expect(functionsOf('n.ts', nested)).toEqual([
      { where: 'n.ts outer', lines: 3 },
      { where: 'n.ts inner', lines: 72 },
    ])
    expect(functionsOf('f.ts', text)).toEqual([
      { where: 'f.ts long', lines: 72 },
      { where: 'f.ts run', lines: 72 },
      { where: 'f.ts arrow', lines: 72 },
    ])
  })
})
