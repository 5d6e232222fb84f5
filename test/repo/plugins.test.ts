import { describe, expect, test } from 'vitest'
import { builtInCatalogue } from '../../src/registry.ts'
import { filesBelow, isProduct, textOf } from './files.ts'
import { pluginPage } from './plugin-page.ts'

const folders = { store: 'stores', source: 'sources', stage: 'stages', sink: 'sinks' } as const

describe.each(['store', 'source', 'stage', 'sink'] as const)('%s', (kind) => {
  test('every definition file is in the registry under its own name, and nothing else is', () => {
    const files = filesBelow(`src/${folders[kind]}`)
      .filter((path) => isProduct(path) && path.split('/').length === 3)
      .map((path) => path.split('/')[2]!.slice(0, -3))
    expect(builtInCatalogue.names(kind)).toEqual(files)
  })

  // S0-32
  test('every plug-in says what it does, and every sink what it promises', () => {
    for (const declaration of builtInCatalogue.all(kind)) {
      expect(declaration.summary, declaration.name).toMatch(/^[A-Z].{15,}\.$/)
      if (declaration.kind === 'sink')
        expect(declaration.delivers, declaration.name).toMatch(/^(At least once|At most once|Best effort)/)
    }
  })

  test('every option has a description, and the example is accepted', () => {
    for (const { name, options, example } of builtInCatalogue.all(kind)) {
      expect(options.safeParse(example).error, name).toBeUndefined()
    }
    const undescribed = pluginPage()
      .split('\n')
      .filter((line) => /^\| `\w+` \|.*\| {2}\|$/.test(line))
    expect(undescribed).toEqual([])
  })
})

test('docs/reference/plugins.md is what the catalogue says (npm run docs)', () => {
  expect(textOf('docs/reference/plugins.md')).toBe(pluginPage())
})
