import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { builtIn } from '../../../src/registry.ts'
import { filesBelow, isThere, root, textOf } from '../../repo/files.ts'

interface Row {
  readonly name: string
  readonly sources: readonly string[]
  readonly sinks: readonly string[]
}

const names = (cell: string): string[] => [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!).sort()

const rows: readonly Row[] = textOf('examples/README.md')
  .split('\n')
  .flatMap((line) => {
    const [, first = '', sources = '', sinks = ''] = line.split('|')
    const [, name, target] = /\[([\w-]+)\]\(([^)]+)\)/.exec(first) ?? []
    return name !== undefined && target === `${name}/README.md`
      ? [{ name, sources: names(sources), sinks: names(sinks) }]
      : []
  })

const folders = readdirSync(join(root, 'examples'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
  .map(({ name }) => name)
  .sort()

/** Types of built-in plug-ins that a configuration uses; a plug-in file is the example's own. */
function used(name: string): Row {
  if (!isThere(`examples/${name}/millrace.yaml`)) return { name, sources: [], sinks: [] }
  const config = parse(textOf(`examples/${name}/millrace.yaml`)) as {
    sources?: Record<string, { type: string }>
    subscriptions?: Record<string, { sink?: { type: string } }>
  }
  const typesOf = (types: readonly (string | undefined)[]) =>
    [...new Set(types)].filter((type) => type !== undefined && !type.startsWith('.')).sort() as string[]
  return {
    name,
    sources: typesOf(Object.values(config.sources ?? {}).map(({ type }) => type)),
    sinks: typesOf(Object.values(config.subscriptions ?? {}).map(({ sink }) => sink?.type)),
  }
}

test('the list of examples has each folder, with what its configuration uses', () => {
  expect(rows.map(({ name }) => name).sort()).toEqual(folders)
  for (const row of rows) expect(row).toEqual(used(row.name))
})

test.each(['source', 'sink'] as const)('every built-in %s has an example', (kind) => {
  const builtIns = builtIn.map((plugin) => plugin.declaration).filter((declaration) => declaration.kind === kind)
  const shown = new Set(rows.flatMap(({ sources, sinks }) => (kind === 'source' ? sources : sinks)))
  expect(builtIns.length).toBeGreaterThan(5)
  expect(builtIns.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([])
})

test('every built-in stage has an example', () => {
  const text = folders
    .flatMap((name) => filesBelow(`examples/${name}`, ''))
    .filter((path) => /\.(yaml|ts)$/.test(path))
    .map(textOf)
    .join('\n')
  const shown = [...text.matchAll(/\buse: ([\w-]+)|'millrace\/stages\/([\w-]+)'/g)].map(([, use, from]) => use ?? from)
  const stages = builtIn.map(({ declaration }) => declaration).filter(({ kind }) => kind === 'stage')
  expect(stages.map(({ name }) => name).filter((name) => !shown.includes(name))).toEqual([])
})

/** Where an example is run by a test of something larger. */
const elsewhere = new Map([
  ['quickstart', 'test/repo/quickstart.test.ts'],
  ['next', 'test/e2e/embedding.test.ts'],
])

test('every example is run by a test', () => {
  for (const name of folders) {
    const test = elsewhere.get(name) ?? `test/e2e/examples/${name}.test.ts`
    expect(isThere(test), test).toBe(true)
    expect(textOf(test)).toMatch(new RegExp(`examples/${name}\\b|(run|start)\\w+\\('${name}'|quickstart`))
  }
})

test.each(folders)('the README of %s says what to expect', (name) => {
  expect(textOf(`examples/${name}/README.md`)).toMatch(/```(text|json)\n/)
})
