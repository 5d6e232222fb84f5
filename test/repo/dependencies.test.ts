import { expect, test } from 'vitest'
import { filesBelow, importsOf, textOf } from './files.ts'

interface Package {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
}
const manifest = JSON.parse(textOf('package.json')) as Package
const note = textOf('docs/decisions/0001-dependencies.md')

// SEC-83
test('there are at most ten runtime dependencies, each with its reason written down', () => {
  const explained = [...note.matchAll(/^\| `([^`]+)` \| [^|]+ \| [^|]{10,} \|$/gm)].map((row) => row[1])
  expect(explained.sort()).toEqual(Object.keys(manifest.dependencies).sort())
  expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(10)
})

// SEC-84
test('installing the package runs nothing of ours', () => {
  expect(Object.keys(manifest.scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([])
})

test('the schema library is named in one file', () => {
  expect(filesBelow('src').filter((path) => importsOf(path).includes('zod'))).toEqual(['src/plugin/schema.ts'])
})
