import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonFault, notJson } from './json-fault.ts'

test.each([
  ['', 1, 1, 'the text ends too early: a value is needed'],
  ['{"a":1', 1, 7, 'the text ends too early: a comma or the end of the list or object is needed'],
  ['{"a":1,}', 1, 8, 'a name in double quotes is needed'],
  ["{'a':1}", 1, 2, 'a name in double quotes or } is needed'],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, 'a comma or the end of the list or object is needed'],
  ['{"a" 1}', 1, 6, 'a colon is needed'],
  ['[1,]', 1, 4, 'a value is needed'],
  ['[1}', 1, 3, 'a comma or the end of the list or object is needed'],
  ['[01]', 1, 2, 'a value or ] is needed'],
  ['[+1]', 1, 2, 'a value or ] is needed'],
  ['nul', 1, 1, 'a value is needed'],
  ['{} {}', 1, 4, 'nothing may follow the value'],
  ['["ab]', 1, 2, 'this text has no end'],
  ['["a\nb"]', 1, 4, 'a text holds a line break or another control character: escape it'],
  ['["a\\x"]', 1, 4, 'this escape does not exist'],
])('%j is wrong in line %i, column %i', (text, line, column, problem) => {
  expect(jsonFault(text)).toEqual({ line, column, problem })
})

test('what JSON.parse takes has no fault, and what it refuses has one', () => {
  const spoiled = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '{', ']', '\\', '0', 'x', '\n', '-'))
    .map(([text, at, mark]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + mark + text.slice(place + 1)
    })
  fc.assert(
    fc.property(fc.oneof(fc.json(), spoiled, fc.string()), (text) => {
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
      }
      expect(jsonFault(text) === undefined).toBe(isJson)
    }),
    { numRuns: 2000 },
  )
})

test('long texts and deep lists need no stack', () => {
  expect(jsonFault(`"${'x'.repeat(2_000_000)}`)).toMatchObject({ column: 1 })
  expect(jsonFault('['.repeat(300_000))).toMatchObject({ column: 300_001 })
})

test('the sentence names the line only beyond the first', () => {
  expect(notJson('[1,]')).toBe('is not valid JSON at character 4: a value is needed')
  expect(notJson('[1,\n]')).toBe('is not valid JSON at line 2, character 1: a value is needed')
  expect(notJson('{}')).toBe('is not valid JSON')
})
