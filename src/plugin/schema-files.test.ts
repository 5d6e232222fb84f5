import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { builtInCatalogue } from '../registry.ts'
import { validate } from '../stages/validate.ts'
import { schemaFileIssues } from './schema-files.ts'
import { stage } from './stage-function.ts'

function problemsOf(...stages: readonly unknown[]) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-schemas-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'good.json'), '{ "type": "object" }')
  writeFileSync(join(directory, 'broken.json'), '{\n  "type": "object",\n}')
  writeFileSync(join(directory, 'wrong.json'), '{ "properties": { "a": { "type": "strin" } } }')
  const config = { subscriptions: { a: { stages } } }
  return schemaFileIssues(config, builtInCatalogue, directory).map(({ path, message }) => [
    path.slice(3).join('.'),
    message.replace(directory, '…'),
  ])
}

const missing = 'there is no file …/none.json'
const broken = './broken.json is not valid JSON at line 3, character 1: a name in double quotes is needed'
const wrong = expect.stringContaining('./wrong.json: schema is invalid: data/properties/a/type must be')

// S3-08
test('a schema file of a stage that is missing, no JSON or no schema is a problem of the configuration', () => {
  const use = () => undefined
  expect(
    problemsOf(
      { use: 'validate', schema: './none.json' },
      { use: 'validate', with: { schema: './broken.json' } },
      { use: validate({ schema: './wrong.json' }) },
      validate({ schema: './broken.json' }),
      { use, name: 'b', input: './none.json' },
      { use: 'filter', when: 'true', input: './wrong.json' },
      stage('c', use, { input: './broken.json' as never }),
    ),
  ).toEqual([
    ['0.schema', missing],
    ['1.with.schema', broken],
    ['2.schema', wrong],
    ['3.schema', broken],
    ['4.input', missing],
    ['5.input', wrong],
    ['6.input', broken],
  ])
})

test('one that is good, and a schema that stands in the configuration, is none', () => {
  expect(
    problemsOf(
      { use: 'validate', schema: './good.json', input: {} },
      { use: 'validate', schema: { type: 'string' } },
      { use: 'split', schema: './none.json' },
      { use: 5 },
      null,
    ),
  ).toEqual([])
})
