import { expect, test } from 'vitest'
import type { Json } from './event.ts'
import { hasRounded } from './rounded.ts'

// G4
test.each<[string, Json, string, boolean]>([
  ['a number that was rounded', 9007199254740992, '{"n":9007199254740993}', true],
  ['one within an object or a list', { a: [1, -9007199254740992] }, '{"n":[-9007199254740993]}', true],
  ['one that there is', 9007199254740992, '{"n":9007199254740992}', false],
  ['one that was written as a fraction or a power', 1e20, '{"n":1e20,"m":100000000000000000000.0}', false],
  ['one that the expression made', 9007199254740994, '{"n":9007199254740993}', false],
  ['small ones', 5, '{"n":9007199254740993}', false],
  ['text', '9007199254740993', '{"n":9007199254740993}', false],
])('%s', (_, value, data, isRounded) => {
  expect(hasRounded(value, { data })).toBe(isRounded)
  expect(hasRounded(value, { data: new Uint8Array(), meta: data })).toBe(isRounded)
})
