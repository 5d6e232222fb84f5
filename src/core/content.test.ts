import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson, isSameContent } from './content.ts'
import type { EventRecord } from './event.ts'

const base: EventRecord = { source: 's', id: '1', type: 'a.b', data: '{"a":1,"b":[true,null]}' }

test('the same fact with another spelling of its JSON is the same content', () => {
  expect(isSameContent(base, { ...base, data: '{ "b": [true, null], "a": 1.0 }' })).toBe(true)
  expect(isSameContent(base, { ...base, data: '{"\\u0061":10e-1,"b":[true,null]}' })).toBe(true)
})

test.each<[string, Partial<EventRecord>]>([
  ['type', { type: 'a.c' }],
  ['subject', { subject: 'x' }],
  ['time', { time: '2026-01-01T00:00:00Z' }],
  ['content type', { datacontenttype: 'text/plain' }],
  ['schema', { dataschema: 'https://example.com/s' }],
  ['meta', { meta: '{"k":1}' }],
  ['data', { data: '{"a":1,"b":[true,false]}' }],
  ['absent data', { data: undefined }],
  ['bytes', { data: new Uint8Array([1]) }],
])('a different %s is different content', (_name, change) => {
  expect(isSameContent(base, { ...base, ...change })).toBe(false)
  expect(isSameContent({ ...base, ...change }, base)).toBe(false)
})

test('trace context and an empty meta do not count', () => {
  const traced = { ...base, meta: '{"traceparent":"00-1","tracestate":"x"}' }
  expect(isSameContent(base, traced)).toBe(true)
  expect(
    isSameContent({ ...base, meta: '{"k":{"traceparent":1}}' }, { ...base, meta: '{"k":{"traceparent":2}}' }),
  ).toBe(false)
})

test('bytes are compared byte for byte', () => {
  const bytes = (...values: number[]): EventRecord => ({ ...base, data: new Uint8Array(values) })
  expect(isSameContent(bytes(1, 2), bytes(1, 2))).toBe(true)
  expect(isSameContent(bytes(1, 2), bytes(1, 3))).toBe(false)
  expect(isSameContent(bytes(1, 2), bytes(1))).toBe(false)
})

test('numbers keep their identity beyond what a double can hold', () => {
  expect(canonicalJson('9007199254740993')).not.toBe(canonicalJson('9007199254740992'))
  expect(canonicalJson('100')).toBe(canonicalJson('1e2'))
  expect(canonicalJson('-0.0')).toBe(canonicalJson('0'))
  expect(canonicalJson('1e99999999999999999')).not.toBe(canonicalJson('1e99999999999999998'))
})

test('what is not JSON is compared as text', () => {
  for (const text of ['', 'hello', '{', ']', '1 2', '"a', '"\\x"', '{} {}']) expect(canonicalJson(text)).toBe(text)
})

test('the last of repeated keys counts, and depth does not overflow', () => {
  expect(canonicalJson('{"a":1,"a":2}')).toBe(canonicalJson('{"a":2}'))
  const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  expect(canonicalJson(deep)).toBe(deep)
})

test('canonical text means the same value and does not depend on the order of keys', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(JSON.stringify(value))
      expect(canonicalJson(JSON.stringify(JSON.parse(text), undefined, 2))).toBe(text)
    }),
  )
})
