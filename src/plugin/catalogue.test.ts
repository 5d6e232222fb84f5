import { expect, test } from 'vitest'
import { createCatalogue } from './catalogue.ts'
import { defineSink, defineStore } from './define.ts'
import { schema } from './schema.ts'

const options = schema.strictObject({})
const sink = (name: string) =>
  defineSink({ name, summary: '', delivers: '', options, example: {}, create: () => ({ deliver: () => undefined }) })
const store = (name: string) =>
  defineStore({ name, summary: '', options, example: {}, open: () => Promise.reject(new Error('not opened here')) })

// S4-66
test('two plug-ins of one kind with the same name are refused', () => {
  expect(() => createCatalogue([sink('file'), sink('file')])).toThrow(/two plug-ins of kind sink named "file"/)
})

test('a store and a sink may have the same name', () => {
  const catalogue = createCatalogue([sink('file'), store('file')])
  expect(catalogue.find('store', 'file')?.kind).toBe('store')
  expect(catalogue.find('sink', 'file')?.kind).toBe('sink')
})

// S4-66
test('names are sorted, in whatever order they were declared', () => {
  expect(createCatalogue([sink('webhook'), sink('console'), sink('file')]).names('sink')).toEqual([
    'console',
    'file',
    'webhook',
  ])
})

// S4-06
test('an unknown name is answered with the nearest spelling and everything there is', () => {
  expect(createCatalogue([sink('webhook'), sink('console')]).unknown('sink', 'webhok')).toMatchObject({
    message: 'there is no sink named "webhok"',
    suggestion: 'webhook',
    available: ['console', 'webhook'],
  })
})

test('a name of Object.prototype is not found', () => {
  expect(createCatalogue([sink('console')]).find('sink', 'constructor')).toBeUndefined()
})
