import { expect, test } from 'vitest'
import { createCatalogue } from '../plugin/catalogue.ts'
import { defineSink, defineStage, defineStore } from '../plugin/define.ts'
import { schema } from '../plugin/schema.ts'
import { configJsonSchema } from './json-schema.ts'

const options = schema.strictObject({ depth: schema.int().describe('How deep.') })
const catalogue = createCatalogue([
  defineStore({ name: 'tank', summary: 'Keeps.', options, example: {}, open: () => Promise.reject(new Error('no')) }),
  defineSink({
    name: 'drain',
    summary: 'Sends.',
    delivers: '',
    options,
    example: {},
    create: () => ({ deliver: () => undefined }),
  }),
  defineStage({ name: 'sift', summary: 'Sifts.', options, example: {}, create: () => ({ process: () => undefined }) }),
])
type Node = { readonly [key: string]: Node } & readonly Node[]
const made = configJsonSchema(catalogue) as unknown as Node
const subscription = made['properties']!['subscriptions']!['additionalProperties']!

test('every plug-in stands where its kind may stand, with its name and options', () => {
  const store = made['properties']!['store']!['anyOf']![0]!
  expect(store).toMatchObject({
    properties: { type: { const: 'tank', description: 'Keeps.' }, depth: { description: 'How deep.' } },
    required: ['depth', 'type'],
    additionalProperties: false,
  })
  expect(subscription['properties']!['sink']!['anyOf']![0]).toMatchObject({ properties: { type: { const: 'drain' } } })
  expect(subscription['properties']!['stages']!['items']!['anyOf']![0]).toMatchObject({
    properties: { use: { const: 'sift' }, concurrency: { description: expect.any(String) } },
  })
})

test('every setting has a description', () => {
  for (const [name, setting] of Object.entries(subscription['properties'] as unknown as Record<string, Node>)) {
    if (name !== 'sink') expect(setting['description'], name).toEqual(expect.any(String))
  }
})

test('a variable may stand where a number or one of some words is needed', () => {
  expect(subscription['properties']!['concurrency']!['anyOf']).toEqual([
    expect.objectContaining({ type: 'integer', minimum: 1 }),
    { type: 'string', pattern: '\\$\\{' },
  ])
  expect(subscription['properties']!['ordering']!['anyOf']![0]).toMatchObject({ enum: ['none', 'key', 'strict'] })
})

test('only the store is needed', () => {
  expect(made['required']).toEqual(['store'])
})
