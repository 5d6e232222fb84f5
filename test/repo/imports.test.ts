import { describe, expect, test } from 'vitest'
import { filesBelow, importsOf, isProduct, isThere, resolveImport, textOf } from './files.ts'
import { type ImportRule, importRules, importWaivers } from './import-rules.ts'

const sources = filesBelow('src').filter(isProduct)

/** The part of `src` a path lies in: its folder, or the file itself when it stands beside the folders. */
function partOf(path: string): string {
  return path.split('/')[1]!
}

/** The plug-in a file of an adapter folder belongs to: `sqlite.ts` and all of `sqlite/` are one. */
function unitOf(path: string): string {
  return path.split('/')[2]!.replace(/\.ts$/, '')
}

function problemWith(path: string, name: string, rule: ImportRule): string | undefined {
  if (!name.startsWith('.')) {
    return rule.packages.includes('*') || rule.packages.includes(name)
      ? undefined
      : `${path} imports the package ${name}`
  }
  const target = resolveImport(path, name)
  if (!isThere(target)) return `${path} imports ${name}, which is not there`
  if (rule.may.includes('*')) return undefined
  const part = partOf(target)
  if (part !== partOf(path)) return rule.may.includes(part) ? undefined : `${path} imports ${target}`
  if (rule.standAlone === true && unitOf(target) !== unitOf(path)) return `${path} imports its neighbour ${target}`
  return undefined
}

/** The first circle of imports that can be reached from a file, as a path; undefined when there is none. */
function circleFrom(
  start: string,
  edges: ReadonlyMap<string, readonly string[]>,
  done: Set<string>,
): string[] | undefined {
  const trail: string[] = []
  const visit = (path: string): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path]
    if (done.has(path)) return undefined
    trail.push(path)
    for (const next of edges.get(path) ?? []) {
      const circle = visit(next)
      if (circle !== undefined) return circle
    }
    trail.pop()
    done.add(path)
    return undefined
  }
  return visit(start)
}

describe('imports', () => {
  test('every part of src has a rule', () => {
    expect(sources.map(partOf).filter((part) => importRules[part] === undefined)).toEqual([])
  })

  test('a file imports only what the table allows its part', () => {
    const problems = sources.flatMap((path) =>
      importsOf(path).flatMap((name) => {
        const rule = importRules[partOf(path)]
        const problem = rule === undefined ? undefined : problemWith(path, name, rule)
        return problem === undefined || importWaivers[problem] !== undefined ? [] : [problem]
      }),
    )
    expect(problems).toEqual([])
  })

  test('every waiver is still needed', () => {
    const all = new Set(
      sources.flatMap((path) => importsOf(path).map((name) => problemWith(path, name, importRules[partOf(path)]!))),
    )
    expect(Object.keys(importWaivers).filter((waiver) => !all.has(waiver))).toEqual([])
  })

  test('no circle of imports', () => {
    const edges = new Map(
      sources.map((path) => [
        path,
        valueImports(path)
          .filter((name) => name.startsWith('.'))
          .map((name) => resolveImport(path, name)),
      ]),
    )
    const done = new Set<string>()
    for (const path of sources) expect(circleFrom(path, edges, done)).toBeUndefined()
  })

  test('the check sees a circle, a forbidden part, a neighbour and a package', () => {
    const edges = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ])
    expect(circleFrom('a', edges, new Set())).toEqual(['b', 'c', 'b'])
    const core = importRules['core']!
    expect(problemWith('src/core/event.ts', '../plugin/store.ts', core)).toMatch(/imports src\/plugin/)
    expect(problemWith('src/core/event.ts', 'node:fs', core)).toMatch(/package node:fs/)
    expect(problemWith('src/core/event.ts', './nowhere.ts', core)).toMatch(/not there/)
    const sink = { ...importRules['sinks']!, may: ['core'] }
    expect(problemWith('src/core/outcome.ts', './event.ts', core)).toBeUndefined()
    expect(unitOf('src/stores/sqlite.ts')).toBe(unitOf('src/stores/sqlite/writer.ts'))
    expect(problemWith('src/sinks/one.ts', '../plugin/store.ts', sink)).toMatch(/imports src\/plugin/)
  })

  test('ARCHITECTURE.md prints the same table', () => {
    const printed = Object.fromEntries(
      [
        ...textOf('ARCHITECTURE.md')
          .split('## Who may import whom')[1]!
          .matchAll(/^\| `([\w.]+)` \| ([^|]*) \|/gm),
      ].map((row) => [row[1]!, row[2]!.trim()]),
    )
    const expected = Object.fromEntries(
      Object.entries(importRules).map(([part, rule]) => [
        part,
        rule.may.length === 0
          ? 'nothing'
          : rule.may.map((name) => (name === '*' ? 'anything' : `\`${name}\``)).join(' '),
      ]),
    )
    expect(printed).toEqual(expected)
  })
})

/** Imports that exist at run time: those of types alone cannot make a circle that matters. */
function valueImports(path: string): string[] {
  const typeOnly = new Set(
    [...textOf(path).matchAll(/(?:^|\n)\s*(?:import|export) type\b[^'"`;=]*?\bfrom\s*'([^']+)'/g)].map(
      (match) => match[1]!,
    ),
  )
  return importsOf(path).filter((name) => !typeOnly.has(name))
}
