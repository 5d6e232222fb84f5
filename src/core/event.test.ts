import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deepFreeze, Event, timeText } from './event.ts'

const record = { sequence: 7, appendedAt: Date.UTC(2026, 0, 2, 3, 4, 5, 6), source: 'shop', id: '1', type: 'order.placed' }

describe('event', () => {
  test('its fields are those of the record; time defaults to the time of append', () => { // S0-01 S0-04 S0-05
    const event = new Event({ ...record, data: '{"a":{"b":[1]}}', meta: '{"m":1}', datacontenttype: 'application/json', dataschema: 'urn:x' })
    expect([event.time, event.recordedtime]).toEqual(['2026-01-02T03:04:05.006Z', '2026-01-02T03:04:05.006Z'])
    expect([event.data, event.meta, event.datacontenttype, event.dataschema]).toEqual([{ a: { b: [1] } }, { m: 1 }, 'application/json', 'urn:x'])
    expect(new Event({ ...record, time: '2020-01-01T00:00:00+02:00' }).time).toBe('2020-01-01T00:00:00+02:00')
    expect(event.data).toBe(event.data)
    expect(event.meta).toBe(event.meta)
  })

  test('no part of it can be changed', () => {
    const event = new Event({ ...record, data: '{"a":{"b":[1]}}' })
    const data = event.data as unknown as { a: { b: number[] } }
    expect(() => { data.a.b.push(2) }).toThrow(TypeError)
    expect(() => { Object.assign(event, { type: 'x' }) }).toThrow(TypeError)
    expect(() => { Object.assign(event.meta, { x: 1 }) }).toThrow(TypeError)
  })

  test('without data and meta there is nothing and an empty object; bytes stay bytes', () => {
    expect([new Event(record).data, new Event(record).meta]).toEqual([undefined, {}])
    const bytes = new Uint8Array([1])
    expect(new Event({ ...record, data: bytes, datacontenttype: 'image/png' }).data).toBe(bytes)
  })

  test('a frozen value stays as it is, whatever it is', () => {
    expect([deepFreeze(1), deepFreeze(null)]).toEqual([1, null])
  })
})

test('a time is written as JavaScript writes it', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 4e12 }), { minLength: 1 }), (times) => {
    for (const ms of times) expect(timeText(ms)).toBe(new Date(ms).toISOString())
  }))
})
