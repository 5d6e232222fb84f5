import { describe, expect, test } from 'vitest'
import { eventToJson } from '../../core/cloud-event.ts'
import { Event } from '../../core/event.ts'
import type { Delivery } from '../../plugin/sink.ts'
import { messageOf } from './message.ts'

const record = { source: 's', id: '1', type: 't', data: '{"n":1.0}', sequence: 1, appendedAt: 0 }
const delivery = (more: object = {}, body?: string): Delivery => ({
  event: new Event({ ...record, ...more }),
  attempt: 1,
  messageId: 'msg_1',
  context: {},
  ...(body !== undefined && { body }),
})
const typeOf = (headers: readonly string[]) => {
  const at = headers.indexOf('content-type')
  return at < 0 ? undefined : headers[at + 1]
}

describe('a structured message', () => {
  test('is the event as CloudEvents JSON', () => {
    const given = delivery()
    const { body, headers } = messageOf(given, 'structured')
    expect(body).toBe(eventToJson(given.event))
    expect(typeOf(headers)).toBe('application/cloudevents+json; charset=utf-8')
  })

  test('is the payload that the subscription made: an event without data is still one, anything else is JSON', () => {
    const summary = eventToJson(delivery().event, 'summary')
    expect(messageOf(delivery({}, summary), 'structured')).toMatchObject({ body: summary })
    expect(typeOf(messageOf(delivery({}, summary), 'structured').headers)).toMatch('cloudevents')
    const made = messageOf(delivery({}, '{"text":"hi"}'), 'structured')
    expect([made.body, typeOf(made.headers)]).toEqual(['{"text":"hi"}', 'application/json; charset=utf-8'])
  })
})

describe('a binary message', () => {
  test('has the very data as its body and its type as the content type', () => {
    const json = messageOf(delivery(), 'binary')
    expect([json.body, typeOf(json.headers)]).toEqual(['{"n":1.0}', 'application/json'])
    expect(json.headers).toContain('ce-id')
    const data = Buffer.from([0, 255])
    const bytes = messageOf(delivery({ data, datacontenttype: 'image/png' }), 'binary')
    expect([bytes.body, typeOf(bytes.headers)]).toEqual([data, 'image/png'])
  })

  test('without data has no content type, and a payload of the subscription is its body', () => {
    const none = messageOf(delivery({ data: undefined }), 'binary')
    expect([none.body, typeOf(none.headers)]).toEqual(['', undefined])
    const summary = messageOf(delivery({}, eventToJson(delivery().event, 'summary')), 'binary')
    expect([summary.body, typeOf(summary.headers)]).toEqual(['', undefined])
    const made = messageOf(delivery({}, '"hi"'), 'binary')
    expect([made.body, typeOf(made.headers)]).toEqual(['"hi"', 'application/json; charset=utf-8'])
    expect(made.headers).toContain('ce-id')
  })
})
