import { CloudEvent, HTTP } from 'cloudevents'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchToJson, eventToJson, readBinaryEvent, readJsonEvents } from './cloud-event.ts'
import { Event, type EventInput, type EventRecord } from './event.ts'
import { checkEvent } from './event-check.ts'

const character = fc.constantFrom('a', 'Z', '0', '-', '_', '.', ' ', '"', '\\', '%', 'é', '€', '😀')

/** Text that an attribute may hold: whole, without control characters, not empty. */
const attributeText = fc.array(character, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''))

const metaName = fc.oneof(
  fc.constantFrom(
    'tenant',
    'traceparent',
    'meta',
    'sequence',
    'recordedtime',
    'id',
    'data',
    'specversion',
    '__proto__',
    'camelCase',
  ),
  attributeText,
)
const metaValue = fc.oneof(
  attributeText,
  fc.integer(),
  fc.boolean(),
  fc.constantFrom('{"a":1}', '', '\n', null, 0.5, -0),
  fc.jsonValue(),
)
const meta = fc
  .array(fc.tuple(metaName, metaValue), { maxLength: 5 })
  .map((entries) => Object.fromEntries(entries) as Readonly<Record<string, unknown>>)

const payload = fc.oneof(
  fc.record({
    data: fc.option(fc.jsonValue(), { nil: undefined }),
    datacontenttype: fc.constantFrom(undefined, 'application/json'),
  }),
  fc.record({
    data: fc.uint8Array({ maxLength: 16 }),
    datacontenttype: fc.constantFrom('image/png', 'text/plain; charset=utf-8'),
  }),
)

/** Events that are right, of every shape. */
const givenEvent: fc.Arbitrary<EventInput> = fc
  .tuple(
    fc.record({
      source: attributeText,
      id: attributeText,
      type: fc.constantFrom('order.placed', 'a', 'x-y.Z_1'),
      subject: fc.option(attributeText, { nil: undefined }),
      time: fc.constantFrom(undefined, '2026-01-31T12:00:00.5+01:00', '1999-12-31T23:59:60Z'),
      meta: fc.option(meta, { nil: undefined }),
      dataschema: fc.constantFrom(undefined, 'https://example.com/schema#1'),
    }),
    payload,
  )
  .map(([fields, data]) => ({ ...fields, ...data }))

/** The records of events that are right. */
function recordsOf(given: readonly EventInput[]): readonly EventRecord[] {
  return given.map((one) => {
    const checked = checkEvent(one)
    if (!checked.ok) throw new Error(checked.issues.map((issue) => issue.message).join('; '))
    return checked.record
  })
}

const appendedAt = Date.UTC(2026, 0, 31, 12)
const stored = (record: EventRecord, sequence = 7) => new Event({ ...record, sequence, appendedAt })

/** What must be the same after a way over the wire: data to the character, meta as a value. */
function content(record: EventRecord, time: string) {
  return { ...record, time, meta: record.meta === undefined ? undefined : JSON.parse(record.meta) }
}

describe('the event on the wire', () => {
  test('is CloudEvents JSON with the sequence as text and the time of recording', () => {
    const [record] = recordsOf([
      {
        source: 'shop',
        id: '42',
        type: 'order.placed',
        subject: 'order-42',
        data: { total: 120 },
        meta: { tenant: 'a' },
      },
    ])
    expect(JSON.parse(eventToJson(stored(record!)))).toEqual({
      specversion: '1.0',
      id: '42',
      source: 'shop',
      type: 'order.placed',
      subject: 'order-42',
      time: '2026-01-31T12:00:00.000Z',
      sequence: '7',
      recordedtime: '2026-01-31T12:00:00.000Z',
      tenant: 'a',
      data: { total: 120 },
    })
  })
  test('carries data as the producer wrote it, to the character', () => {
    const text = '{"source":"s","id":"1","type":"t","data": {"b": 1.20, "a" :10000000000000000001}}'
    const read = readJsonEvents(text, 'single')
    const checked = read.ok ? read.events[0] : undefined
    expect(checked?.ok && eventToJson(stored(checked.record))).toMatch(
      /"data":\{"b": 1\.20, "a" :10000000000000000001\}\}$/,
    )
  })
  test('has no data in a summary', () => {
    const [record] = recordsOf([
      { source: 's', id: '1', type: 't', data: 5, dataschema: 'https://x', datacontenttype: 'text/json' },
    ])
    expect(JSON.parse(eventToJson(stored(record!), 'summary'))).toEqual({
      ...JSON.parse(eventToJson(stored(record!))),
      data: undefined,
    })
  })
  test('meta that fits travels as attributes, the rest as JSON text', () => {
    const meta = {
      traceparent: 'x',
      flag: true,
      count: -5,
      big: 2 ** 31,
      half: 0.5,
      line: 'a\nb',
      del: 'a\u007f',
      camelCase: 1,
      'a-b': 1,
      averyveryverylongname: 1,
      list: [1],
      none: null,
      id: 'x',
      data: 'y',
      sequence: '9',
      meta: 'z',
    }
    const wire = JSON.parse(eventToJson(stored(recordsOf([{ source: 's', id: '1', type: 't', meta }])[0]!)))
    const { specversion, source, type, time, recordedtime, meta: rest, ...attributes } = wire
    expect(attributes).toEqual({ id: '1', sequence: '7', traceparent: 'x', flag: true, count: -5 })
    const { traceparent, flag, count, ...others } = meta
    expect(JSON.parse(rest)).toEqual(others)
  })
  test('reads back as the same event, whatever it holds', () => {
    fc.assert(
      fc.property(givenEvent, (given) => {
        const [record] = recordsOf([given])
        const event = stored(record!)
        const text = eventToJson(event)
        expect(readJsonEvents(text, 'single')).toEqual({
          ok: true,
          events: [{ ok: true, record: expect.objectContaining({ data: record!.data }) }],
        })
        const read = readJsonEvents(text, 'line')
        const back = read.ok ? read.events[0] : undefined
        expect(back?.ok && content(back.record, event.time)).toEqual(content(record!, event.time))
      }),
    )
  })
  // The SDK cut a batch to its first element (sdk-javascript#440) and left bytes unencoded (#491).
  test('a batch reads back whole and in order, bytes included', () => {
    fc.assert(
      fc.property(fc.array(givenEvent, { maxLength: 5 }), (given) => {
        const records = recordsOf(given)
        const events = records.map((record, index) => stored(record, index + 1))
        const read = readJsonEvents(batchToJson(events), 'batch')
        const back = read.ok ? read.events.map((one) => one.ok && content(one.record, '')) : undefined
        expect(back).toEqual(records.map((record) => content(record, '')))
      }),
    )
  })
})

describe('the SDK of CloudEvents', () => {
  test('reads what we write', () => {
    fc.assert(
      fc.property(givenEvent, (given) => {
        // The SDK takes data that is false, 0 or '' for none at all, so it gets an object.
        const data = given.data instanceof Uint8Array ? given.data : { value: given.data }
        const record = recordsOf([{ ...given, data }])[0]!
        const body = eventToJson(stored(record))
        const read = HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body }) as CloudEvent
        expect([read.id, read.source, read.type, read.subject]).toEqual([
          record.id,
          record.source,
          record.type,
          record.subject,
        ])
        expect(read['sequence']).toBe('7')
        if (typeof record.data === 'string') expect(read.data).toEqual(JSON.parse(record.data))
        else expect(Buffer.from(read.data_base64 ?? '', 'base64')).toEqual(Buffer.from(record.data!))
      }),
    )
  })
  test('writes structured and binary what we read', () => {
    const extension = fc.constantFrom('tenant', 'traceparent', 'partitionkey')
    fc.assert(
      fc.property(attributeText, fc.dictionary(extension, attributeText), fc.jsonValue(), (id, extensions, value) => {
        const data = { value }
        const event = new CloudEvent({ id, source: '/shop', type: 'order.placed', data, ...extensions })
        const structured = HTTP.structured(event)
        const read = readJsonEvents(structured.body as string, 'single')
        const one = read.ok ? read.events[0] : undefined
        expect(one?.ok && one.record).toMatchObject({ id, source: '/shop', type: 'order.placed', time: event.time })
        expect(one?.ok && JSON.parse(one.record.data as string)).toEqual(JSON.parse(JSON.stringify(data)))
        expect(one?.ok && JSON.parse(one.record.meta ?? '{}')).toEqual(extensions)
      }),
    )
    const binary = HTTP.binary(
      new CloudEvent({ id: '1', source: '/shop', type: 'order.placed', data: { a: 1 }, tenant: 'x' }),
    )
    const checked = readBinaryEvent(
      binary.headers as Record<string, string>,
      new TextEncoder().encode(binary.body as string),
    )
    expect(checked.ok && checked.record).toMatchObject({
      id: '1',
      source: '/shop',
      data: '{"a":1}',
      meta: '{"tenant":"x"}',
    })
  })
})

test('an event of the library and the same event over HTTP become the same record', () => {
  fc.assert(
    fc.property(givenEvent, (given) => {
      fc.pre(!(given.data instanceof Uint8Array))
      const read = readJsonEvents(JSON.stringify(given), 'single')
      expect(read).toEqual({ ok: true, events: [checkEvent(given)] })
    }),
  )
})

test('an event that was only emitted has no place in the log', () => {
  const record = { source: 's', id: '1', type: 'a', appendedAt: 0 }
  expect(JSON.parse(eventToJson(new Event({ ...record, sequence: 0 })))).not.toHaveProperty('sequence')
  expect(JSON.parse(eventToJson(new Event({ ...record, sequence: 1 })))).toMatchObject({ sequence: '1' })
})
