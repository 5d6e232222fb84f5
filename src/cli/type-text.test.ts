import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { compileJsonSchema } from '../plugin/json-schema.ts'
import { typeText } from './type-text.ts'

const ab = { properties: { a: { type: 'number' }, b: { type: 'string' } } }

/** A schema, values that fit it, and values that do not: the type must say the same of all of them. */
const cases: readonly (readonly [string, Record<string, unknown>, readonly unknown[], readonly unknown[]])[] = [
  ['required', { type: 'object', ...ab, required: ['a'] }, [{ a: 1 }, { a: 1, b: 'x' }], [{}, { a: '1' }]],
  ['required in allOf', { type: 'object', ...ab, allOf: [{ required: ['a'] }] }, [{ a: 1 }], [{}, { a: 'x' }]],
  ['allOf', { allOf: [{ ...ab, required: ['a'] }, { required: ['b'] }] }, [{ a: 1, b: 'x' }], [{ a: 1 }, { b: 'x' }]],
  [
    'anyOf required',
    { ...ab, type: 'object', anyOf: [{ required: ['a'] }, { required: ['b'] }] },
    [{ a: 1 }, { b: 'x' }],
    [{}],
  ],
  ['oneOf', { oneOf: [{ type: 'string' }, { ...ab, type: 'object', required: ['a'] }] }, ['x', { a: 1 }], [1, {}]],
  ['required of no property', { type: 'object', required: ['z'] }, [{ z: 1 }, { z: null }], [{}]],
  [
    '$ref beside keywords',
    { $defs: { x: ab }, $ref: '#/$defs/x', type: 'object', required: ['b'] },
    [{ b: 'x' }],
    [{ a: 1 }],
  ],
  ['$ref with escapes', { $defs: { 'a/b %': { type: 'string' } }, $ref: '#/$defs/a~1b%20%25' }, ['x'], [1]],
  ['a schema in itself', { type: 'object', properties: { next: { $ref: '#' } } }, [{ next: { next: {} } }], [1]],
  ['enum in a list', { type: 'array', items: { enum: ['a', 'b'] } }, [['a', 'b'], []], [['c'], 'a']],
  [
    'anyOf in a list',
    { type: 'array', items: { anyOf: [ab, { type: 'string' }].map((each) => ({ type: 'object', ...each })) } },
    [[{ a: 1 }, 'x']],
    [[1]],
  ],
  ['lists of lists', { type: 'array', items: { type: 'array', items: { type: 'number' } } }, [[[1], []]], [[1]]],
  ['const', { const: 'x' }, ['x'], ['y']],
  ['const of an object', { const: { a: [1] } }, [{ a: [1] }], [{ a: [2] }]],
  ['enum with null', { type: 'object', properties: { a: { enum: ['x', null] } } }, [{ a: null }, {}], [{ a: 1 }]],
  ['several types', { type: ['string', 'null'] }, ['x', null], [1]],
  ['nullable', { type: 'string', nullable: true }, ['x', null], [1]],
  ['an object or null', { type: ['object', 'null'], ...ab, required: ['a'] }, [{ a: 1 }, null], [{}]],
  ['additionalProperties', { type: 'object', additionalProperties: { type: 'number' } }, [{ x: 1 }, {}], [{ x: 'y' }]],
  [
    'additionalProperties beside others',
    { type: 'object', ...ab, additionalProperties: { type: 'boolean' } },
    [{ a: 1, x: true }],
    [{ a: true }],
  ],
  ['no additionalProperties', { type: 'object', ...ab, additionalProperties: false }, [{ a: 1 }], [{ c: 1 }]],
  [
    'patternProperties',
    { type: 'object', patternProperties: { '^n': { type: 'number' } }, additionalProperties: false },
    [{ n: 1 }],
    [{ n: 'x' }],
  ],
  [
    'prefixItems',
    { type: 'array', prefixItems: [{ type: 'string' }, { enum: [1, 2] }], items: false },
    [['a', 1], ['a'], []],
    [[1], ['a', 3], ['a', 1, 1]],
  ],
  [
    'prefixItems that are needed',
    { type: 'array', prefixItems: [{ type: 'string' }], minItems: 1, items: { type: 'number' } },
    [['a'], ['a', 1]],
    [[], ['a', 'b']],
  ],
  ['false', { type: 'object', properties: { a: false } }, [{}], [{ a: 1 }]],
]

test('the type of a schema takes what fits it, and nothing else', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-types-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const lines = cases.flatMap(([name, schema, fitting, wrong], at) => {
    const compiled = compileJsonSchema(schema)
    const fits = (value: unknown) => compiled.ok && compiled.check(value).length === 0
    // The schemas are right themselves.
    expect([name, ...fitting.map(fits), ...wrong.map(fits)]).toEqual([
      name,
      ...fitting.map(() => true),
      ...wrong.map(() => false),
    ])
    return [
      `// ${name}`,
      `export type T${at} = ${typeText(schema)}`,
      ...fitting.map((value, n) => `export const t${at}_${n}: T${at} = ${JSON.stringify(value)}`),
      ...wrong.flatMap((value, n) => [
        '// @ts-expect-error',
        `export const w${at}_${n}: T${at} = ${JSON.stringify(value)}`,
      ]),
    ]
  })
  writeFileSync(join(directory, 'types.ts'), lines.join('\n'))
  const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes']
  let said = ''
  try {
    execFileSync(process.execPath, [tsc, ...strict, 'types.ts'], { cwd: directory, encoding: 'utf8' })
  } catch (error) {
    said = String((error as { readonly stdout?: unknown }).stdout)
  }
  expect(said.replaceAll(/types\.ts\((\d+),\d+\)/g, (_, line) => lines[Number(line) - 1]!)).toBe('')
})

test('what can never be is never, and what says nothing is unknown', () => {
  expect(
    [{ enum: [] }, { allOf: [{ type: 'string' }, false] }, {}, { anyOf: [{}, { type: 'string' }] }].map(typeText),
  ).toEqual(['never', 'never', 'unknown', 'unknown'])
})
