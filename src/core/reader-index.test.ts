import { describe, expect, test } from 'vitest'
import { Event } from './event.ts'
import { createReaderIndex, valueAt } from './reader-index.ts'

const event = (more: object = {}) =>
  new Event({ source: 's', id: '1', type: 't.a', data: '{"a":{"b":"x"}}', sequence: 1, appendedAt: 0, ...more })

describe('an index of readers', () => {
  test('asks who wants a value only of events that have it', () => {
    const index = createReaderIndex<string>()
    for (let n = 0; n < 1000; n++)
      index.add(`r${n}`, { match: ['t.*'], from: undefined, only: { path: 'meta.tenant', value: `t${n}` } })
    index.add('all', { match: ['*'], from: undefined })
    const asked: string[] = []
    const lookup = (value: unknown) =>
      index.lookup('s', 't.a', (path) => {
        asked.push(path)
        return value
      })
    expect(lookup('t7')).toEqual(['all', 'r7'])
    expect(asked).toEqual(['meta.tenant'])
    expect([lookup('other'), lookup(7), lookup(undefined)]).toEqual([['all'], ['all'], ['all']])
    expect(index.lookup('s', 'u', () => 't7')).toEqual(['all'])
  })

  test('forgets who is removed, and takes a known one with what it reads now', () => {
    const index = createReaderIndex<string>()
    const only = { path: 'meta.tenant', value: 'x' }
    index.add('a', { match: ['*'], from: undefined, only })
    index.add('b', { match: ['*'], from: ['s'], only })
    index.add('a', { match: ['u'], from: undefined })
    const of = (source: string, type: string) => index.lookup(source, type, () => 'x')
    expect([of('s', 't'), of('other', 't'), of('other', 'u')]).toEqual([['b'], [], ['a']])
    index.remove('b')
    index.remove('b')
    expect(of('s', 't')).toEqual([])
    expect(index.lookup('s', 't', () => expect.unreachable())).toEqual([])
  })
})

test('a value is read from the envelope, meta or data, and only own members count', () => {
  const given = event({ subject: 'o', meta: '{"tenant":"x"}' })
  const values = ['event.subject', 'event.source', 'meta.tenant', 'data.a.b'].map((path) => valueAt(given, path))
  expect(values).toEqual(['o', 's', 'x', 'x'])
  const absent = ['event.toJSON', 'meta.constructor', 'meta.a.b', 'data.a.c', 'data.__proto__.x']
  expect(absent.map((path) => valueAt(given, path))).toEqual(absent.map(() => undefined))
})

test('the fields of the envelope are values too', () => {
  expect(
    ['event.id', 'event.source', 'event.type', 'event.subject', 'event.other'].map((path) => valueAt(event(), path)),
  ).toEqual(['1', 's', 't.a', undefined, undefined])
})

test('who asked for no value is forgotten, too', () => {
  const index = createReaderIndex<string>()
  index.add('all', { match: ['*'], from: undefined })
  index.remove('all')
  expect(index.lookup('s', 't.a', () => undefined)).toEqual([])
})
