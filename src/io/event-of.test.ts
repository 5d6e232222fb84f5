import { describe, expect, it } from 'vitest'
import { eventToJson } from '../core/cloud-event.ts'
import { Event } from '../core/event.ts'
import { eventOf } from './event-of.ts'

const key = { id: '42', source: 'shop', type: 'order.placed' }

describe('eventOf', () => {
  it('knows an event by id, source and type, and by nothing else beside them', () => {
    expect(eventOf({ ...key, data: 1, meta: { a: 1 } })).toEqual({ ...key, data: 1, meta: { a: 1 } })
    expect(eventOf({ ...key, name: 'a customer' })).toBeUndefined()
    for (const name of ['id', 'source', 'type']) {
      expect(eventOf({ ...key, [name]: undefined })).toBeUndefined()
      expect(eventOf({ ...key, [name]: 5 })).toBeUndefined()
    }
    for (const value of [null, 1, 'x', [key]]) expect(eventOf(value)).toBeUndefined()
  })

  it('gives back what was delivered, without what the delivery added', () => {
    const stored = {
      ...key,
      sequence: 7,
      appendedAt: 0,
      subject: 'o-1',
      time: '2026-01-02T03:04:05Z',
      data: '{"total":1}',
      meta: '{"tenant":"x","nested":{"a":1},"Not-An-Attribute":true}',
      dataschema: 'https://example.com/schema',
    }
    expect(eventOf(JSON.parse(eventToJson(new Event(stored))))).toEqual({
      ...key,
      subject: 'o-1',
      time: '2026-01-02T03:04:05Z',
      data: { total: 1 },
      meta: { tenant: 'x', nested: { a: 1 }, 'Not-An-Attribute': true },
      dataschema: 'https://example.com/schema',
    })
  })

  it('reads bytes', () => {
    const event = eventOf({ specversion: '1.0', ...key, data_base64: 'AAE=', subject: null })
    expect(event).toEqual({ ...key, data: new Uint8Array([0, 1]), datacontenttype: 'application/octet-stream' })
  })

  // SEC-77
  it('keeps a key named __proto__ as data', () => {
    const event = eventOf(
      JSON.parse('{"specversion":"1.0","id":"1","source":"s","type":"t","__proto__":{"polluted":1}}'),
    )
    expect(Object.getPrototypeOf(event)).toBe(Object.prototype)
    expect(Object.keys(event!.meta!)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})
