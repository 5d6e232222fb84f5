import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createElementReader, type Element } from './json-elements.ts'

function readAll(text: string, chunkBytes = Number.POSITIVE_INFINITY, maxBytes = 1_000_000): Element[] {
  const reader = createElementReader(maxBytes)
  const bytes = Buffer.from(text)
  const found: Element[] = []
  for (let at = 0; at < bytes.length; at += Math.min(chunkBytes, bytes.length)) {
    found.push(...reader.push(bytes.subarray(at, at + Math.min(chunkBytes, bytes.length))))
  }
  return [...found, ...reader.end()]
}

test('the elements of an array come with the line they begin on', () => {
  expect(readAll('[\n  {"a": [1, "]"]},\n  {\n    "b": "\\"}"\n  }\n]\n')).toEqual([
    { kind: 'text', line: 2, text: '{"a": [1, "]"]}' },
    { kind: 'text', line: 3, text: '{\n    "b": "\\"}"\n  }' },
  ])
})

test('values one after another need no array', () => {
  expect(readAll('\ufeff{"a":1}\n{"b":2} {"c":3}').map((element) => 'text' in element && element.text)).toEqual([
    '{"a":1}',
    '{"b":2}',
    '{"c":3}',
  ])
})

test('elements that are no objects are found too, so that they can be refused one by one', () => {
  const texts = readAll('[1, "x", null,[2],{}]').map((element) => ('text' in element ? element.text : element.problem))
  expect(texts).toEqual(['1', '"x"', 'null', '[2]', '{}'])
})

test.each([
  ['[{"a":1}, {"b"', { kind: 'bad', line: 1, problem: 'is not complete: the input ends in the middle of it' }],
  ['[{"a":1}\n', { kind: 'bad', line: 2, problem: 'is the end of the input, but the array is not closed' }],
])('input that ends early says so: %j', (text, problem) => {
  expect(readAll(text)).toEqual([{ kind: 'text', line: 1, text: '{"a":1}' }, problem])
})

test('a value that never ends is given up instead of filling memory', () => {
  const problem = 'is longer than 100 bytes: what follows was not read'
  expect(readAll(`{"a":"${'x'.repeat(10_000)}`, 50, 100)).toEqual([{ kind: 'bad', line: 1, problem }])
})

test('where chunks are cut does not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { minLength: 1 }), fc.integer({ min: 1, max: 20 }), (values, chunkBytes) => {
      const texts = readAll(JSON.stringify(values, undefined, 1), chunkBytes).map((element) =>
        'text' in element ? JSON.parse(element.text) : element,
      )
      expect(texts).toEqual(JSON.parse(JSON.stringify(values)))
    }),
  )
})
