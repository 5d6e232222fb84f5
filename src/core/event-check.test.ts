import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventRecord } from './event.ts'
import { checkEvent, type EventLimits } from './event-check.ts'

const least = { source: 'shop', id: '42', type: 'order.placed' }

function recordOf(input: unknown, limits?: EventLimits): EventRecord {
  const checked = checkEvent(input, limits)
  if (!checked.ok) throw new Error(checked.issues.map((issue) => issue.message).join('; '))
  return checked.record
}
function issuesOf(input: unknown, limits?: EventLimits): string[] {
  const checked = checkEvent(input, limits)
  return checked.ok ? [] : checked.issues.map((issue) => `${issue.code}: ${issue.message}`)
}

describe('an event that is right', () => {
  // S0-02, S0-03
  test('becomes a record with its fields as they were given', () => {
    const given = {
      ...least,
      subject: 'order-42',
      time: '2026-01-31T12:00:00+01:00',
      data: { total: 120, items: [] },
      meta: { traceparent: 'x' },
      datacontenttype: 'application/json',
      dataschema: 'https://example.com/order',
    }
    expect(recordOf(given)).toEqual({ ...given, data: '{"total":120,"items":[]}', meta: '{"traceparent":"x"}' })
  })
  test('needs source, id and type and nothing else; null and empty meta count as absent', () => {
    expect(recordOf(least)).toEqual(least)
    const nothing = { subject: null, time: null, meta: null, datacontenttype: null, dataschema: undefined }
    expect(recordOf({ ...least, ...nothing, data: undefined })).toEqual(least)
    expect(recordOf({ ...least, meta: {} })).toEqual(least)
    expect(recordOf({ ...least, meta: { a: undefined } })).toEqual(least)
  })
  // S0-04
  test('keeps the time of its source, from text or a Date', () => {
    expect(recordOf({ ...least, time: new Date(0) }).time).toBe('1970-01-01T00:00:00.000Z')
    expect(recordOf({ ...least, time: '2026-01-31T12:00:00z' }).time).toBe('2026-01-31T12:00:00z')
  })
  test('holds any JSON, written as JSON.stringify writes it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        expect(recordOf({ ...least, data }).data).toBe(JSON.stringify(data))
      }),
    )
    expect(recordOf({ ...least, data: null }).data).toBe('null')
    expect(recordOf({ ...least, data: Number.NaN }).data).toBe('null')
    expect(recordOf({ ...least, data: { at: new Date(0), gone: () => 1 } }).data).toBe(
      '{"at":"1970-01-01T00:00:00.000Z"}',
    )
  })
  test('keeps bytes of a type that is not JSON, as a copy of its own', () => {
    const bytes = Buffer.from('hello')
    const record = recordOf({ ...least, data: bytes, datacontenttype: 'text/plain' })
    bytes.fill(0)
    expect(record.data).toEqual(new TextEncoder().encode('hello'))
  })
  test('may be an instance of a class', () => {
    class Placed {
      source = 'shop'
      id = '42'
      type = 'order.placed'
    }
    expect(recordOf(new Placed())).toEqual(least)
  })
  // SEC-32
  test('keeps __proto__ and constructor as data, and nobody else gets them', () => {
    const input = JSON.parse(
      '{"source":"s","id":"1","type":"t","data":{"__proto__":{"a":1},"constructor":2},"meta":{"__proto__":3}}',
    )
    const record = recordOf(input)
    expect([record.data, record.meta]).toEqual(['{"__proto__":{"a":1},"constructor":2}', '{"__proto__":3}'])
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
  })
})

// S0-01, S0-05
describe('the other names', () => {
  const named = {
    event_id: '42',
    event_type: 'order.placed',
    entity_id: 'order-42',
    occurred_at: '2026-01-31T12:00:00Z',
    source_id: 'shop',
    data: { a: 1 },
    meta: { b: 2 },
  }
  test('name the same fields', () => {
    expect(recordOf(named)).toEqual({
      ...least,
      subject: 'order-42',
      time: '2026-01-31T12:00:00Z',
      data: '{"a":1}',
      meta: '{"b":2}',
    })
  })
  test('may stand beside ours when they say the same', () => {
    expect(recordOf({ ...least, event_id: '42', subject: null, entity_id: 'x' })).toEqual({ ...least, subject: 'x' })
  })
  test('are refused when they say something else', () => {
    expect(issuesOf({ ...least, event_id: '43' })).toEqual([
      'event-invalid: event_id and id are names of one field, but their values differ: give one of them',
    ])
  })
})

describe('an event that is not right', () => {
  test.each([undefined, null, 42, 'text', [], [least]])('%j is no event', (input) => {
    expect(issuesOf(input)).toEqual(['event-invalid: an event is an object with source, id and type'])
  })
  test('is told everything at once, with the key as far as it can be read', () => {
    const checked = checkEvent({ source: 'shop', type: 7, subject: '', time: 'now', data: 1n, meta: [] })
    expect(checked).toMatchObject({ ok: false, source: 'shop', id: undefined })
    expect(checked.ok ? [] : checked.issues.map((issue) => issue.path?.[0])).toEqual([
      'data',
      'id',
      'type',
      'subject',
      'time',
      'meta',
    ])
  })
  test('a field that does not exist is refused with the nearest spelling', () => {
    const checked = checkEvent({ ...least, sbject: 'x' })
    expect(checked).toMatchObject({
      ok: false,
      id: '42',
      issues: [
        { code: 'event-invalid', path: ['sbject'], suggestion: 'subject', available: expect.arrayContaining(['id']) },
      ],
    })
    expect(issuesOf(JSON.parse('{"source":"s","id":"1","type":"t","__proto__":{}}'))).toHaveLength(1)
  })
  // SEC-42
  test.each([
    [{ id: '' }, 'id is empty'],
    [{ id: 'x'.repeat(256) }, 'id is longer than 255 characters'],
    [{ id: 'a\0b' }, 'id holds a control character'],
    [{ id: 'a\nb' }, 'id holds a control character'],
    [{ id: '\ud800' }, 'id holds half of a surrogate pair'],
    [{ id: 42 }, 'id must be a string'],
    [{ source: undefined }, 'source is missing'],
    [{ source: 'x'.repeat(513) }, 'source is longer than 512 characters'],
    [{ subject: 'x'.repeat(513) }, 'subject is longer than 512 characters'],
    [{ type: 'x'.repeat(256) }, 'type is longer than 255 characters'],
    [{ type: 'order..placed' }, 'type has an empty segment: write it as order.placed'],
    [{ time: '2026-02-30T00:00:00Z' }, 'time names a day or hour that does not exist'],
    [{ time: new Date(Number.NaN) }, 'time is an invalid Date'],
    [{ datacontenttype: 'json' }, 'datacontenttype is not a media type such as application/json'],
    [{ data: 1, datacontenttype: 'json' }, 'datacontenttype is not a media type such as application/json'],
    [{ meta: new Map() }, 'meta must be a plain object'],
    [{ meta: { toJSON: () => 5 } }, 'meta must be a plain object'],
    [{ meta: { toJSON: () => undefined } }, 'meta is a function or symbol, which JSON cannot hold'],
  ])('%j: %s', (change, message) => {
    expect(issuesOf({ ...least, ...change })).toEqual([`event-invalid: ${message}`])
  })
  test('fields at their longest pass', () => {
    const longest = { source: 's'.repeat(512), id: 'i'.repeat(255), type: 't'.repeat(255), subject: 'e'.repeat(512) }
    expect(recordOf(longest)).toEqual(longest)
  })
  // Architecture decision 11
  test('types of the engine are refused, but for the engine', () => {
    const dead = { ...least, type: 'millrace.dead' }
    expect(issuesOf(dead)).toEqual(['type-reserved: types beginning with millrace. belong to the engine'])
    expect(recordOf(dead, { allowReserved: true }).type).toBe('millrace.dead')
  })
})

describe('data that cannot be kept', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const throwing = {
    toJSON() {
      throw new Error('secret')
    },
  }
  let deep: unknown = []
  for (let level = 0; level < 100_000; level++) deep = [deep]
  test.each([
    ['a bigint', 1n],
    ['a cycle', cycle],
    ['an endless depth', deep],
    ['a toJSON that throws', throwing],
  ])('%s is refused without quoting it', (_, data) => {
    expect(issuesOf({ ...least, data })).toEqual([
      expect.stringMatching(/^event-invalid: data cannot be written as JSON/),
    ])
  })
  test.each([() => 1, Symbol('x')])('a function or symbol is refused', (data) => {
    expect(issuesOf({ ...least, data })).toEqual([expect.stringMatching(/function or symbol/)])
  })
  test('bytes need a content type that is not JSON', () => {
    const data = new Uint8Array(3)
    for (const datacontenttype of [undefined, 'application/json', 'application/x+json']) {
      expect(issuesOf({ ...least, data, datacontenttype })).toEqual([expect.stringMatching(/data is bytes/)])
    }
  })
  test('half of a surrogate pair is refused wherever it stands, in data and meta', () => {
    const text = fc.array(fc.constantFrom('\ud83d', '\ude00', 'x', '\\ud83d')).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, (value) => {
        const isRight = value.isWellFormed()
        expect(checkEvent({ ...least, data: { value } }).ok).toBe(isRight)
        expect(checkEvent({ ...least, data: [{ [value]: 1 }] }).ok).toBe(isRight)
        expect(checkEvent({ ...least, meta: { value } }).ok).toBe(isRight)
      }),
    )
  })
})

// SEC-32
describe('bounds', () => {
  const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels))
  const manyKeys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n]))

  test('64 levels pass and 65 do not', () => {
    expect(issuesOf({ ...least, data: nested(64) })).toEqual([])
    expect(issuesOf({ ...least, data: nested(65) })).toEqual([
      'event-invalid: data is refused: nested deeper than 64 levels',
    ])
    expect(issuesOf({ ...least, data: nested(3) }, { depth: 2 })).toHaveLength(1)
  })
  test('10,000 keys pass and one more does not', () => {
    expect(issuesOf({ ...least, data: manyKeys(10_000) })).toEqual([])
    expect(issuesOf({ ...least, data: manyKeys(10_001) })).toEqual([
      'event-invalid: data is refused: more than 10000 keys',
    ])
    expect(issuesOf({ ...least, meta: { a: 1, b: 2 } }, { keys: 1 })).toHaveLength(1)
  })
  test('data is measured in bytes of UTF-8, quotes included', () => {
    expect(issuesOf({ ...least, data: 'x'.repeat(1_048_574) })).toEqual([])
    expect(issuesOf({ ...least, data: 'x'.repeat(1_048_575) })).toEqual([
      'body-too-large: data is larger than 1048576 bytes',
    ])
    expect(issuesOf({ ...least, data: '€€' }, { dataBytes: 8 })).toEqual([])
    expect(issuesOf({ ...least, data: '€€' }, { dataBytes: 7 })).toHaveLength(1)
    const bytes = { ...least, data: new Uint8Array(9), datacontenttype: 'image/png' }
    expect([issuesOf(bytes, { dataBytes: 9 }).length, issuesOf(bytes, { dataBytes: 8 }).length]).toEqual([0, 1])
  })
  test('meta has a bound of its own', () => {
    expect(issuesOf({ ...least, meta: { a: 'x'.repeat(66_000) } })).toEqual([
      'body-too-large: meta is larger than 65536 bytes',
    ])
    expect(issuesOf({ ...least, meta: { a: 'x' } }, { metaBytes: 5 })).toHaveLength(1)
  })
})
