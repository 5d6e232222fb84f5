import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { elementSpans, memberSpan, scanJson, utf8Bytes } from './json-scan.ts'

const wide = { depth: 64, keys: 10_000 }

/** JSON text as people and machines write it: spaced in several ways, names escaped or repeated. */
const space = fc.constantFrom('', ' ', '\n\t', '\r\n  ')
const quotedText = fc.oneof(
  fc.string().map((text) => JSON.stringify(text)),
  fc.constantFrom('"\\u0064ata"', '"\\"}"', '"[{\\\\"', '"😀"', '"\\ud83d\\ude00"'),
)
const scalar = fc.oneof(quotedText, fc.constantFrom('null', 'true', 'false', '0', '-1.5e3', '12'))
const jsonText = fc.letrec<{ value: string; list: string; members: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, scalar, tie('list'), tie('members')),
  list: fc
    .tuple(space, fc.array(fc.tuple(space, tie('value'), space), { maxLength: 4 }))
    .map(([gap, items]) => `[${items.map((item) => item.join('')).join(',') || gap}]`),
  members: fc
    .tuple(space, fc.array(fc.tuple(space, quotedText, space, space, tie('value'), space), { maxLength: 4 }))
    .map(
      ([gap, items]) =>
        `{${items.map(([a, name, b, c, value, d]) => `${a}${name}${b}:${c}${value}${d}`).join(',') || gap}}`,
    ),
}))

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const below = Object.values(value).reduce((sum: number, child) => sum + keysOf(child), 0)
  return below + (Array.isArray(value) ? 0 : Object.keys(value).length)
}

// SEC-32
describe('the scan before parsing', () => {
  test('counts depth and keys as the parsed value has them', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 2), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        const depth = depthOf(value)
        const keys = keysOf(value)
        expect(scanJson(text, { depth, keys })).toEqual({ ok: true })
        if (depth > 0) expect(scanJson(text, { depth: depth - 1, keys })).toMatchObject({ ok: false })
        if (keys > 0) expect(scanJson(text, { depth, keys: keys - 1 })).toMatchObject({ ok: false })
      }),
    )
  })
  test('says where the bound is passed', () => {
    expect(scanJson('[[[]]]', { depth: 2, keys: 0 })).toEqual({
      ok: false,
      problem: 'nested deeper than 2 levels',
      offset: 2,
    })
    expect(scanJson('{"a":1,"b":2}', { depth: 1, keys: 1 })).toEqual({
      ok: false,
      problem: 'more than 1 keys',
      offset: 10,
    })
  })
  test('takes brackets and colons inside strings for text', () => {
    expect(scanJson(JSON.stringify({ 'a:{"[': '[[[{{{:::\\"' }), { depth: 1, keys: 1 })).toEqual({ ok: true })
  })
  test('survives a million levels without recursion', () => {
    expect(scanJson('['.repeat(1_000_000), wide)).toMatchObject({ ok: false, offset: 64 })
    expect(scanJson('['.repeat(1_000_000), { depth: 2_000_000, keys: 0 })).toEqual({ ok: true })
  })
  test('refuses half of a surrogate pair, written as it is or as an escape, and only that', () => {
    const unit = fc.constantFrom('\ud83d', '\ude00', 'x', '\\', '"', '\n', '\uffff')
    fc.assert(
      fc.property(fc.array(unit), fc.boolean(), (units, isEscaped) => {
        const value = units.join('')
        const plain = JSON.stringify(value)
        const escaped = plain.replaceAll(/[\ud800-\udfff]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`)
        expect(scanJson(isEscaped ? escaped : plain, wide).ok).toBe(value.isWellFormed())
      }),
    )
    expect(scanJson('"ab\\ud83d"', wide)).toMatchObject({ ok: false, offset: 3 })
    expect(scanJson('"ab\\uDE00"', wide)).toMatchObject({ ok: false, offset: 3 })
    expect(scanJson('"\ud83d\\ude00"', wide)).toEqual({ ok: true })
  })
  test('ends where the text is cut', () => {
    expect(memberSpan('{"a":"bc', 'a')).toEqual({ start: 5, end: 8 })
    expect(elementSpans('[1, [2')).toEqual([
      { start: 1, end: 2, member: undefined },
      { start: 4, end: 6, member: undefined },
    ])
    expect(scanJson('"ab\\', wide)).toEqual({ ok: true })
    expect(scanJson('"ab\ud83d', wide)).toMatchObject({ ok: false, offset: 3 })
  })
  test('ends on any text at all', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('{', '[', '"', '\\', ':', ',', '}', ']', 'u', '1', ' ')), (parts) => {
        const text = parts.join('')
        expect(typeof scanJson(text, wide).ok).toBe('boolean')
        if (!text.includes('\\')) expect(memberSpan(text, 'none')).toBeUndefined()
        expect(elementSpans(text) === undefined).toBe(!text.trimStart().startsWith('['))
      }),
    )
  })
})

describe('spans', () => {
  test('hold each member as it was written, the last of a repeated name, as JSON.parse has it', () => {
    fc.assert(
      fc.property(space, jsonText.members, space, (before, text, after) => {
        const whole = before + text + after
        const parsed = JSON.parse(whole) as Record<string, unknown>
        for (const name of Object.keys(parsed)) {
          const { start, end } = memberSpan(whole, name)!
          const part = whole.slice(start, end)
          expect(part).toBe(part.trim())
          expect(JSON.parse(part)).toEqual(Object.getOwnPropertyDescriptor(parsed, name)?.value)
        }
      }),
    )
  })
  test('hold each element as it was written', () => {
    fc.assert(
      fc.property(space, jsonText.list, space, (before, text, after) => {
        const whole = before + text + after
        const parts = elementSpans(whole)!.map(({ start, end }) => whole.slice(start, end))
        expect(parts.map((part) => JSON.parse(part))).toEqual(JSON.parse(whole))
        expect(parts.every((part) => part === part.trim())).toBe(true)
      }),
    )
  })
  test('hold the member of a name in each element, as if each were looked at by itself', () => {
    fc.assert(
      fc.property(space, jsonText.list, fc.constantFrom('data', '"}', ''), (before, text, name) => {
        const whole = before + text
        const alone = ({ start, end }: { start: number; end: number }) => {
          const part = whole.slice(start, end)
          const span = memberSpan(part, name)
          return span && part.slice(span.start, span.end)
        }
        for (const element of elementSpans(whole, name)!) {
          const { member } = element
          expect(member && whole.slice(member.start, member.end)).toBe(alone(element))
        }
      }),
    )
    expect(elementSpans('[{"data":1},{},7,{"data":{"data":2}}]', 'data')!.map(({ member }) => member)).toEqual([
      { start: 9, end: 10 },
      undefined,
      undefined,
      { start: 25, end: 35 },
    ])
  })
  test('keep what parsing would lose: digits, white space, order and repeated keys', () => {
    const text = '{"id":"1", "data": {"b": 1.20, "a":1e2,"a" :10000000000000000001 } ,"x":1}'
    const span = memberSpan(text, 'data')!
    expect(text.slice(span.start, span.end)).toBe('{"b": 1.20, "a":1e2,"a" :10000000000000000001 }')
  })
  test('find a name that is written with escapes', () => {
    expect(memberSpan('{"d\\u0061ta":5}', 'data')).toEqual({ start: 13, end: 14 })
    expect(memberSpan('{"longer":5}', 'data')).toBeUndefined()
    expect(memberSpan('{"\\u0061":5}', '\\u0061')).toBeUndefined()
    expect(memberSpan('{"\\\\u0061":5}', '\\u0061')).toEqual({ start: 11, end: 12 })
  })
  test('take __proto__ for a name like any other', () => {
    expect(memberSpan('{"__proto__":{"a":1}}', '__proto__')).toEqual({ start: 13, end: 20 })
  })
  test('there are none in what is no object, or no array', () => {
    expect(memberSpan('[1]', '1')).toBeUndefined()
    expect(memberSpan('"data"', 'data')).toBeUndefined()
    expect(memberSpan('{"a":1}', 'b')).toBeUndefined()
    expect(elementSpans('{"a":1}')).toBeUndefined()
    expect(elementSpans('[]')).toEqual([])
  })
})

test('the number of bytes is what an encoder writes', () => {
  const unit = fc.constantFrom('a', 'é', '€', '\ud83d', '\ude00', '😀', '\u07ff', '\u0800', '\u007f', '\u0080')
  fc.assert(
    fc.property(fc.array(unit), (units) => {
      expect(utf8Bytes(units.join(''))).toBe(new TextEncoder().encode(units.join('')).length)
    }),
  )
})
