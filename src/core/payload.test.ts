import { describe, expect, test } from 'vitest'
import { Event } from './event.ts'
import { batchBodyOf, bodyOf, fill } from './payload.ts'

const event = (more: object = {}) =>
  new Event({
    sequence: 7,
    appendedAt: 1_760_000_000_000,
    source: 'shop',
    id: '42',
    type: 'order.placed',
    subject: 'order-42',
    data: '{"x":{"n":1,"list":["a",{"b":true}]},"text":"say \\"hi\\""}',
    meta: '{"tenant":"t"}',
    ...more,
  })
const template = (value: Parameters<typeof fill>[0], of = event()) =>
  JSON.parse(bodyOf(of, { kind: 'template', template: value }))

// S0-79
describe('a template', () => {
  test('# injects the value and $ its JSON text; anything else is literal', () => {
    expect(template({ a: '#root.data.x', b: '$root.data.x', c: 'literal', d: 5, e: null, f: ['#root.type'] })).toEqual({
      a: { n: 1, list: ['a', { b: true }] },
      b: '{"n":1,"list":["a",{"b":true}]}',
      c: 'literal',
      d: 5,
      e: null,
      f: ['order.placed'],
    })
  })

  test('paths stand inside longer text', () => {
    expect(template('#root.type of #root.data.x.n: #root.data.text, $root.data.text.')).toBe(
      'order.placed of 1: say "hi", "say \\"hi\\"".',
    )
  })

  test('an unknown path is null as a whole value, and nothing or null inside text', () => {
    expect(template(['#root.no.where', '$root.no', '[#root.no] [$root.no]', '#root.data.text.deeper'])).toEqual([
      null,
      null,
      '[] [null]',
      null,
    ])
  })

  test('lists are indexed, in an event and in a batch', () => {
    expect(
      template(['#root.data.x.list.0', '#root.data.x.list.1.b', '#root.data.x.list.9', '#root.data.x.list.b']),
    ).toEqual(['a', true, null, null])
    const batch = batchBodyOf([event(), event({ id: '43' })], {
      kind: 'template',
      template: { first: '#root.0.event_id', second: '#root.1.id', all: '#root' },
    })
    expect(JSON.parse(batch)).toMatchObject({ first: '42', second: '43', all: [{ id: '42' }, { id: '43' }] })
  })

  test('the envelope is there under both names, and what is missing is null', () => {
    expect(template(['#root.event_id', '#root.entity_id', '#root.occurred_at', '#root.meta.tenant'])).toEqual([
      '42',
      'order-42',
      '2025-10-09T08:53:20.000Z',
      't',
    ])
    expect(template(['#root.subject', '#root.data'], event({ subject: undefined, data: undefined }))).toEqual([
      null,
      null,
    ])
  })

  test('bytes are base64', () => {
    const bytes = event({ data: new Uint8Array([1, 2]), datacontenttype: 'application/octet-stream' })
    expect(template(['#root.data', '#root.data_base64'], bytes)).toEqual([null, 'AQI='])
  })

  // SEC-76
  test('only own members are reached', () => {
    expect(template(['#root.constructor', '#root.data.__proto__', '#root.data.x.list.length'])).toEqual([
      null,
      null,
      null,
    ])
    expect(Object.keys(fill(JSON.parse('{"__proto__":"#root.id"}'), { id: 'a' }) as object)).toEqual(['__proto__'])
  })
})

test('summary leaves out the data, full keeps it, for one and for many', () => {
  expect(JSON.parse(bodyOf(event(), { kind: 'summary' }))).not.toHaveProperty('data')
  expect(JSON.parse(bodyOf(event(), { kind: 'full' }))).toHaveProperty('data')
  expect(JSON.parse(batchBodyOf([event(), event()], { kind: 'summary' }))).toHaveLength(2)
})
