import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createMemoryIo, type MemoryIo } from '../io.ts'
import { main } from '../main.ts'

const v1 = { type: 'object', required: ['total'], properties: { total: { type: 'number' } } }
const v2 = { ...v1, properties: { ...v1.properties, note: { type: 'string' } } }
const v3 = { ...v2, required: ['total', 'note'] }
const v4 = { type: 'object', required: ['sum'], properties: { sum: { type: 'number' } }, additionalProperties: false }

function place(files: Readonly<Record<string, unknown>>): (argv: readonly string[]) => Promise<MemoryIo> {
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
  return async (argv) => {
    const io = createMemoryIo({ cwd, env: {} })
    await main(argv, io)
    return io
  }
}

describe('schema check', () => {
  const millrace = place.bind(undefined, {
    'v1.json': v1,
    'v2.json': v2,
    'v3.json': v3,
    'v4.json': v4,
    'bad.json': '{ "type": "objet" }',
  })

  // S3-24
  test('says what a change keeps and what it breaks, and fails only when it breaks both', async () => {
    const run = millrace()
    const full = await run(['schema', 'check', 'v1.json', 'v2.json'])
    expect([full.exitCode, full.stdout]).toEqual([0, 'full: old and new data can be read by both\n'])
    const forward = await run(['schema', 'check', 'v2.json', 'v3.json'])
    expect([forward.exitCode, forward.stdout]).toEqual([
      0,
      'forward: who knows the old schema reads new data; who knows the new one may not read old data\n  not backward: /note: is required now\n',
    ])
    const breaking = await run(['schema', 'check', 'v1.json', 'v4.json', '--json'])
    expect(breaking.exitCode).toBe(1)
    expect(JSON.parse(breaking.stdout)).toMatchObject({
      ok: false,
      compatibility: 'breaking',
      reasons: expect.arrayContaining([{ breaks: 'backward', path: '/sum', message: 'is required now' }]),
    })
  })

  test('fails below the compatibility that is required', async () => {
    const run = millrace()
    expect((await run(['schema', 'check', 'v2.json', 'v3.json', '--require', 'backward'])).exitCode).toBe(1)
    expect((await run(['schema', 'check', 'v2.json', 'v3.json', '--require', 'forward'])).exitCode).toBe(0)
    expect((await run(['schema', 'check', 'v1.json', 'v2.json', '--require', 'backward'])).exitCode).toBe(0)
  })

  test('calls a missing file, no schema and an unknown requirement wrong use', async () => {
    const run = millrace()
    for (const argv of [
      ['v1.json', 'none.json'],
      ['bad.json', 'v1.json'],
      ['v1.json', 'v2.json', '--require', 'all'],
      ['v1.json'],
    ])
      expect((await run(['schema', 'check', ...argv])).exitCode).toBe(2)
  })
})

describe('schema types', () => {
  test('prints types of the registered schemas', async () => {
    const rich = {
      type: 'object',
      required: ['id', 'lines'],
      properties: {
        id: { type: 'string', description: 'The number of the order. */' },
        state: { enum: ['open', 'paid', 3, null] },
        'shipped-at': { type: ['string', 'null'] },
        lines: { type: 'array', items: { $ref: '#/$defs/line' } },
        pair: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        nothing: { type: 'object', additionalProperties: false },
        any: {},
        kind: { const: 'order' },
        either: {
          anyOf: [{ type: 'boolean' }, { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'number' }] } }],
        },
        both: { allOf: [{ properties: { a: { type: 'number' } } }, { properties: { b: false } }] },
      },
      $defs: {
        line: {
          type: 'object',
          properties: { sku: { type: 'string' }, parts: { type: 'array', items: { $ref: '#/$defs/line' } } },
        },
      },
    }
    const config = `store: { type: memory }
schemas:
  order.placed: [{ version: 1, schema: ./v1.json }, { version: 2, schema: ./rich.json }]
  9.lives: { schema: ./v1.json }
`
    const run = place({ 'millrace.yaml': config, 'v1.json': v1, 'rich.json': rich })
    const { exitCode, stdout, stderr } = await run(['schema', 'types'])
    expect([exitCode, stderr]).toEqual([0, ''])
    await expect(stdout).toMatchFileSnapshot('./event-schemas.golden.txt')
    expect(JSON.parse((await run(['schema', 'types', '--json'])).stdout).types).toBe(stdout)
  })

  test('fails with the place when the configuration has a problem', async () => {
    const run = place({ 'millrace.yaml': 'store: { type: memory }\nschemas: { a: { schema: ./none.json } }\n' })
    const { exitCode, stderr } = await run(['schema', 'types'])
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain('millrace.yaml:2:25')
  })
})

// S3-08
test('quarantined lists what did not fit, and redrives it once the schema allows it', async () => {
  const config = (schema: string) => `store: { type: sqlite, path: ./events.db }
server: { port: 0 }
schemas: { order.placed: { schema: ./${schema}.json, mode: quarantine } }
`
  const files = { 'millrace.yaml': config('v1'), 'v1.json': v1, 'any.json': {}, 'next.yaml': config('any') }
  const run = place(files)
  const published = await run([
    'publish',
    '--source',
    'shop',
    '--id',
    '1',
    '--type',
    'order.placed',
    '--data',
    '{"total":"five"}',
  ])
  expect(published.exitCode).toBe(0)
  const listed = await run(['quarantined', 'list'])
  expect(listed.stdout).toMatch(/1\s+order\.placed v1\s+shop\s+1\s+\/total must be number/)
  const early = await run(['quarantined', 'redrive', '1'])
  expect(early.exitCode).toBe(1)
  const redriven = await run(['quarantined', 'redrive', '1', '--config', 'next.yaml'])
  expect([redriven.exitCode, redriven.stdout]).toEqual([0, '1: stored as 2\n'])
})
