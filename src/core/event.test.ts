import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deepFreeze, Event, timeText } from './event.ts'

const record = { sequence: 7, appendedAt: 0, source: 'shop', id: '42', type: 'order.placed' }

describe('an event', () => {
  // S0-01, S0-05
  test('shows its record, with data and meta parsed', () => {
    const event = new Event({
      ...record,
      subject: 'order-42',
      time: '2026-01-31T12:00:00+01:00',
      data: '{"items":[{"n":1}]}',
      meta: '{"tenant":"a"}',
      datacontenttype: 'application/json',
      dataschema: 'https://x',
    })
    expect([event.sequence, event.source, event.id, event.type, event.subject]).toEqual([
      7,
      'shop',
      '42',
      'order.placed',
      'order-42',
    ])
    expect([event.data, event.meta]).toEqual([{ items: [{ n: 1 }] }, { tenant: 'a' }])
    expect([event.datacontenttype, event.dataschema]).toEqual(['application/json', 'https://x'])
    expect([event.time, event.recordedtime]).toEqual(['2026-01-31T12:00:00+01:00', '1970-01-01T00:00:00.000Z'])
  })
  // S0-04
  test('happened when it was stored, if its source does not say', () => {
    expect(new Event(record).time).toBe('1970-01-01T00:00:00.000Z')
  })
  test('written as JSON shows what its reader sees, and nothing that it has not', () => {
    const event = new Event({ ...record, subject: 'o', data: '{"n":1}', meta: '{"tenant":"a"}' })
    expect(JSON.parse(JSON.stringify({ event }))).toEqual({
      event: {
        source: 'shop',
        id: '42',
        type: 'order.placed',
        subject: 'o',
        time: '1970-01-01T00:00:00.000Z',
        recordedtime: '1970-01-01T00:00:00.000Z',
        sequence: 7,
        meta: { tenant: 'a' },
        data: { n: 1 },
      },
    })
    const bare = new Event({ ...record, sequence: 0, data: new Uint8Array([1, 2]), datacontenttype: 'image/png' })
    expect(Object.keys(bare.toJSON())).toEqual([
      'source',
      'id',
      'type',
      'time',
      'recordedtime',
      'datacontenttype',
      'data_base64',
    ])
    expect(bare.toJSON()['data_base64']).toBe('AQI=')
  })
  test('without data and meta has undefined and an empty object', () => {
    const event = new Event(record)
    expect([event.data, event.meta]).toEqual([undefined, {}])
  })
  test('cannot be changed by one reader under the eyes of another', () => {
    const event = new Event<{ items: { n: number }[] }>({
      ...record,
      data: '{"items":[{"n":1}]}',
      meta: '{"a":{"b":1}}',
    })
    expect(() => Object.assign(event, { id: 'x' })).toThrow(TypeError)
    expect(() => event.data.items.push({ n: 2 })).toThrow(TypeError)
    expect(() => Object.assign(event.data.items[0]!, { n: 2 })).toThrow(TypeError)
    expect(() => Object.assign(event.meta['a'] as object, { b: 2 })).toThrow(TypeError)
    expect(() => Object.assign(new Event(record).meta, { b: 2 })).toThrow(TypeError)
  })
  test('parses once', () => {
    const event = new Event({ ...record, data: '{}', meta: '{}' })
    expect(event.data).toBe(event.data)
    expect(event.meta).toBe(event.meta)
  })
  test('gives bytes as they are', () => {
    const data = Uint8Array.of(1, 2)
    expect(new Event({ ...record, data, datacontenttype: 'image/png' }).data).toBe(data)
  })
})

describe('deepFreeze', () => {
  const isDeeplyFrozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen))
  test('freezes everything below and changes nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const before = JSON.stringify(value)
        expect(isDeeplyFrozen(deepFreeze(value))).toBe(true)
        expect(JSON.stringify(value)).toBe(before)
      }),
    )
  })
  test('leaves what cannot be frozen as it is', () => {
    expect([deepFreeze(1), deepFreeze(null), deepFreeze('x')]).toEqual([1, null, 'x'])
  })
  test('does not recurse', () => {
    const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown
    expect(Object.isFrozen(deepFreeze(deep))).toBe(true)
  })
})

// The text of a second is kept from one call to the next, so the times come in series.
test('a time is written as JavaScript writes it', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4e12 }), { minLength: 1 }), fc.nat(2_000), (times, stepMs) => {
      for (const ms of times.flatMap((first) => [first, first + stepMs, first])) {
        expect(timeText(ms)).toBe(new Date(ms).toISOString())
      }
    }),
  )
})

test('a look at the data parses it once and freezes nothing; bytes are as they are', () => {
  const event = new Event({ ...record, data: '{"a":1}' })
  expect(event.peek()).toEqual({ a: 1 })
  expect(event.peek()).toBe(event.peek())
  expect(Object.isFrozen(event.peek())).toBe(false)
  expect(Object.isFrozen(event.data)).toBe(true)
  const bytes = new Uint8Array([1])
  expect(new Event({ ...record, data: bytes }).peek()).toBe(bytes)
})
