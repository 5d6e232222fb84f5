import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Source, SourceDeclaration } from '../../src/plugin/index.ts'
import { nodePlatform } from '../../src/plugin/platform.ts'
import { builtIn } from '../../src/registry.ts'
import { directory } from '../../src/sources/directory.ts'
import { generate } from '../../src/sources/generate.ts'
import { http } from '../../src/sources/http.ts'
import { stdinFrom } from '../../src/sources/stdin.ts'
import { type SourceUnderTest, scriptedSource, sourceCases, whySourceSkipped } from '../../src/testing/index.ts'
import { createSkips } from './skips.ts'

const sourceOf = (declaration: SourceDeclaration, options: unknown): Source =>
  declaration.create(declaration.options.parse(options), { directory: '.', platform: nodePlatform })

function directoryUnderTest(): SourceUnderTest {
  const path = mkdtempSync(join(tmpdir(), 'millrace-source-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'a.ndjson'), '{"n":1}\n{"n":2}\n')
  writeFileSync(join(path, 'b.json'), '{"n":3}')
  writeFileSync(join(path, 'c.txt'), 'text')
  return { create: () => sourceOf(directory.declaration, { path, settle: '0ms', every: '50ms' }), events: 4 }
}

const sources: Readonly<Record<string, () => SourceUnderTest>> = {
  directory: directoryUnderTest,
  generate: () => ({
    create: () => sourceOf(generate.declaration, { every: '5ms', ids: 'sequence', data: { fixed: true } }),
    events: 3,
  }),
  http: () => ({ create: () => sourceOf(http.declaration, {}), events: 0 }),
  stdin: () => ({
    create: () => sourceOf(stdinFrom(() => Readable.from(['{"n":1}\n{"n"', ':2}\n'])).declaration, {}),
    events: 2,
    hasPlace: false,
  }),
  // The fake of the testing kit keeps the same promises.
  scripted: () => ({
    create: () =>
      sourceOf(
        scriptedSource({ batches: ['a', 'b'].map((id) => ({ events: [{ id, type: 'order.placed' }] })) }).declaration,
        {},
      ),
    events: 2,
  }),
}

const skips = createSkips()

test('every registered source is run through the suite', () => {
  const registered = builtIn.map(({ declaration }) => declaration).filter(({ kind }) => kind === 'source')
  expect(Object.keys(sources)).toEqual(expect.arrayContaining(registered.map(({ name }) => name)))
})

for (const [name, underTest] of Object.entries(sources)) {
  describe(`the ${name} source`, () => {
    for (const sourceCase of sourceCases) {
      test(sourceCase.promise, async ({ skip }) => {
        const under = underTest()
        const reason = whySourceSkipped(sourceCase, under)
        if (reason !== undefined) {
          skips.add(`the ${name} source`, sourceCase.promise, reason)
          skip(reason)
        }
        await sourceCase.run(under)
      })
    }
  })
}
