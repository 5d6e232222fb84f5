import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isJsonArray, type ReadLimits, type ReadMode, readBinaryEvent, readJsonEvents } from './cloud-event-read.ts'
import type { EventRecord } from './event.ts'

const plain = { source: 'shop', id: '42', type: 'order.placed' }
const structured = { specversion: '1.0', ...plain }

function recordOf(body: unknown, limits?: ReadLimits): EventRecord {
  const read = readJsonEvents(typeof body === 'string' ? body : JSON.stringify(body), 'single', limits)
  const checked = read.ok ? read.events[0]! : read
  if (!checked.ok) throw new Error(checked.issues.map((issue) => issue.message).join('; '))
  if (!('record' in checked)) throw new Error('unreachable')
  return checked.record
}

/** The codes and messages of the whole, or of its only event. */
function problems(body: unknown, mode: ReadMode = 'single', limits?: ReadLimits): readonly string[] {
  const read = readJsonEvents(typeof body === 'string' ? body : JSON.stringify(body), mode, limits)
  const issues = read.ok ? read.events.flatMap((one) => (one.ok ? [] : one.issues)) : read.issues
  return issues.map((issue) => `${issue.code}: ${issue.message}`)
}

describe('plain JSON', () => {
  test('has our field names, and data as it was written', () => {
    const text = '{"id":"42","source":"shop","type":"order.placed","data": [1.0, 2e1 ] ,"meta":{"a":1}}'
    expect(recordOf(text)).toEqual({ ...plain, data: '[1.0, 2e1 ]', meta: '{"a":1}' })
    expect(recordOf('{"id":"42","source":"shop","type":"order.placed","data":null}')).toEqual({
      ...plain,
      data: 'null',
    })
  })
  // S0-01
  test('may use the other names', () => {
    expect(recordOf({ source_id: 'shop', event_id: '42', event_type: 'order.placed', data: {} })).toEqual({
      ...plain,
      data: '{}',
    })
  })
  test('the last of two members of one name counts, as in JSON.parse', () => {
    expect(recordOf('{"id":"1","id":"42","source":"shop","type":"order.placed","data":1,"data":2}')).toEqual({
      ...plain,
      data: '2',
    })
  })
  test('an unknown member is refused with the nearest spelling', () => {
    const read = readJsonEvents(JSON.stringify({ ...plain, sbject: 'x' }), 'single')
    expect(read).toMatchObject({
      ok: true,
      events: [{ ok: false, id: '42', source: 'shop', issues: [{ suggestion: 'subject' }] }],
    })
  })
})

describe('structured CloudEvents', () => {
  test('extensions become meta, also those nobody knows; what delivery added is dropped', () => {
    const record = recordOf({
      ...structured,
      tenant: 'a',
      n: 5,
      sequence: '9',
      recordedtime: 'x',
      gone: null,
      dataschema: 'https://x',
    })
    expect(record).toEqual({ ...plain, meta: '{"tenant":"a","n":5}', dataschema: 'https://x' })
  })
  test('the extension meta is read back when it is an object as text, and kept when it is something else', () => {
    const metaOf = (meta: unknown, more = {}) => JSON.parse(recordOf({ ...structured, meta, ...more }).meta ?? '{}')
    expect(metaOf('{"A":1,"meta":"x"}')).toEqual({ A: 1, meta: 'x' })
    expect(metaOf('{"a":1}', { a: 'own' })).toEqual({ a: 'own' })
    expect(metaOf({ A: [1] })).toEqual({ A: [1] })
    expect(metaOf('{no json')).toEqual({ meta: '{no json' })
    expect(metaOf('text')).toEqual({ meta: 'text' })
    expect(metaOf(5)).toEqual({ meta: 5 })
  })
  test('meta that nests too deeply is refused before it is parsed', () => {
    expect(problems({ ...structured, meta: `{"a":${'['.repeat(70)}` })).toEqual([
      'event-invalid: meta is refused: nested deeper than 64 levels',
    ])
  })
  test('__proto__ is an extension like any other', () => {
    expect(
      recordOf('{"specversion":"1.0","source":"shop","id":"42","type":"order.placed","__proto__":{"a":1}}').meta,
    ).toBe('{"__proto__":{"a":1}}')
  })
  test('data_base64 gives bytes, or JSON text where the content type says so', () => {
    const hello = Buffer.from('hello').toString('base64')
    const bytes = new TextEncoder().encode('hello')
    const typed = { ...structured, data_base64: hello, datacontenttype: 'text/plain' }
    expect(recordOf(typed)).toEqual({ ...plain, data: bytes, datacontenttype: 'text/plain' })
    expect(recordOf({ ...structured, data_base64: hello })).toEqual({
      ...plain,
      data: bytes,
      datacontenttype: 'application/octet-stream',
    })
    const json = {
      ...structured,
      data_base64: Buffer.from(' {"a":1}\n').toString('base64'),
      datacontenttype: 'application/json',
    }
    expect(recordOf(json)).toEqual({ ...plain, data: '{"a":1}', datacontenttype: 'application/json' })
    expect(recordOf({ ...structured, data: 1, data_base64: null })).toEqual({ ...plain, data: '1' })
  })
  test.each([
    [{ data_base64: 'AA==', data: 1 }, 'data_base64 and data exclude each other: give one of them'],
    [{ data_base64: '???' }, 'data_base64 is not base64 text'],
    [{ data_base64: 5 }, 'data_base64 is not base64 text'],
    [{ data_base64: '/w==', datacontenttype: 'application/json' }, 'data is not valid UTF-8'],
    [
      { data_base64: 'ew==', datacontenttype: 'application/json' },
      'data is not valid JSON, which its content type says it is',
    ],
    [{ specversion: '0.3' }, 'specversion is not "1.0", the only version of CloudEvents that is read'],
    [{ specversion: null }, 'specversion is not "1.0", the only version of CloudEvents that is read'],
    [{ time: 'yesterday' }, 'time is not RFC 3339: write it as 2026-01-31T12:00:00Z'],
  ])('%j is refused', (change, message) => {
    expect(problems({ ...structured, ...change })).toEqual([`event-invalid: ${message}`])
  })
})

describe('a batch', () => {
  test('answers for each event in order; one that is wrong does not spoil the others', () => {
    const read = readJsonEvents(JSON.stringify([structured, { id: '1' }, 5, plain]), 'batch')
    expect(read.ok && read.events.map((one) => one.ok)).toEqual([true, false, false, true])
    expect(read.ok && read.events[1]).toMatchObject({ id: '1', source: undefined })
  })
  test('may be empty, and mixes both forms', () => {
    expect(readJsonEvents(' [ ] ', 'batch')).toEqual({ ok: true, events: [] })
  })
  test('each event keeps its own data as written', () => {
    const one = (data: string) => `{"source":"s","id":"1","type":"t","data":${data}}`
    const read = readJsonEvents(`[${one('1.0')} , ${one('{"a": 1}')}]`, 'batch')
    expect(read.ok && read.events.map((each) => each.ok && each.record.data)).toEqual(['1.0', '{"a": 1}'])
  })
  test('has a bound', () => {
    expect(problems([plain, plain], 'batch', { batch: 2 })).toEqual([])
    expect(problems([plain, plain, plain], 'batch', { batch: 2 })).toEqual([
      'body-too-large: a batch has at most 2 events',
    ])
  })
})

describe('a text that cannot be read', () => {
  test.each<[ReadMode, string, RegExp]>([
    ['single', '', /not valid JSON/],
    ['single', '{"id":', /not valid JSON/],
    ['single', '[]', /is a JSON object/],
    ['single', 'null', /is a JSON object/],
    ['line', '5', /is a JSON object/],
    [
      'batch',
      '[{]',
      /^body-malformed: the body is not valid JSON at character 3: a name in double quotes or \} is needed$/,
    ],
    ['batch', '{}', /JSON array/],
    ['single', '['.repeat(100), /refused at character 66: nested deeper than 64 levels/],
    ['batch', '['.repeat(100), /refused at character 67: nested deeper than 64 levels/],
    ['single', '{"id":"\\ud800"}', /surrogate/],
  ])('as %s: %s', (mode, text, message) => {
    expect(problems(text, mode)).toEqual([expect.stringMatching(message)])
    expect(readJsonEvents(text, mode)).toMatchObject({ ok: false, issues: [{ code: 'body-malformed' }] })
  })
  test('is never quoted in the message', () => {
    expect(problems('{"secret-text')[0]).not.toMatch(/secret/)
  })
  test('any text at all has an answer, in every mode', () => {
    const piece = fc.constantFrom('{', '}', '[', ']', '"id"', ':', ',', '"', '\\', 'null', '1', ' ', '\ud800', '"data"')
    fc.assert(
      fc.property(fc.array(piece), fc.constantFrom<ReadMode>('single', 'batch', 'line'), (pieces, mode) => {
        expect(typeof readJsonEvents(pieces.join(''), mode).ok).toBe('boolean')
      }),
    )
  })
})

// SEC-32
test('bounds count inside data, as they do in the library', () => {
  const nested = (levels: number) =>
    `{"source":"s","id":"1","type":"t","data":${'['.repeat(levels)}${']'.repeat(levels)}}`
  expect([problems(nested(64)), problems(`[${nested(64)}]`, 'batch')]).toEqual([[], []])
  expect(problems(nested(65))).toHaveLength(1)
  expect(problems(nested(3), 'single', { depth: 2 })).toHaveLength(1)
  expect(problems({ ...plain, data: { a: 1, b: 2 } }, 'single', { keys: 1 })).toEqual([
    'event-invalid: data is refused: more than 1 keys',
  ])
})
test('a blank line holds no event, any other line one', () => {
  expect(readJsonEvents(' \r', 'line')).toEqual({ ok: true, events: [] })
  expect(readJsonEvents(`${JSON.stringify(plain)}\r`, 'line')).toEqual({
    ok: true,
    events: [{ ok: true, record: plain }],
  })
})
test('a body that begins with a bracket is an array', () => {
  expect([' \n[1]', '[', '{"a":[]}', ''].map(isJsonArray)).toEqual([true, true, false, false])
})

describe('binary mode', () => {
  const headers = { 'ce-specversion': '1.0', 'ce-source': 'shop', 'ce-id': '42', 'ce-type': 'order.placed' }
  const bytes = (text: string) => new TextEncoder().encode(text)
  const messages = (change: Record<string, string>, body = '') => {
    const checked = readBinaryEvent({ ...headers, ...change }, bytes(body))
    return checked.ok ? [] : checked.issues.map((issue) => `${issue.code}: ${issue.message}`)
  }

  test('takes attributes from headers of any case and data from the body', () => {
    const checked = readBinaryEvent(
      {
        ...headers,
        'CE-Subject': 'a',
        'Ce-Tenant': 'x',
        'ce-sequence': '9',
        'Content-Type': 'application/json',
        host: 'h',
      },
      bytes('{"a": 1.0}'),
    )
    expect(checked).toEqual({
      ok: true,
      record: {
        ...plain,
        subject: 'a',
        data: '{"a": 1.0}',
        meta: '{"tenant":"x"}',
        datacontenttype: 'application/json',
      },
    })
  })
  test('keeps bytes as they are, and an empty body is no data', () => {
    const image = readBinaryEvent({ ...headers, 'content-type': 'image/png' }, Uint8Array.of(0, 255))
    expect(image.ok && image.record).toEqual({ ...plain, data: Uint8Array.of(0, 255), datacontenttype: 'image/png' })
    expect(readBinaryEvent(headers, new Uint8Array())).toEqual({ ok: true, record: plain })
    expect(readBinaryEvent(headers, bytes('5'))).toEqual({ ok: true, record: { ...plain, data: '5' } })
  })
  test('decodes percent signs once, and older quoted values', () => {
    const subjectOf = (value: string) => {
      const checked = readBinaryEvent({ ...headers, 'ce-subject': value }, new Uint8Array())
      return checked.ok && checked.record.subject
    }
    expect(['Euro%20%E2%82%AC', '%2525', '"a \\"b\\" %25"', '"', 'a b'].map(subjectOf)).toEqual([
      'Euro €',
      '%25',
      'a "b" %',
      '"',
      'a b',
    ])
  })
  test('every value that is encoded as the binding says is read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), (value) => {
        fc.pre(value.isWellFormed())
        const checked = readBinaryEvent({ ...headers, 'ce-tenant': encodeURIComponent(value) }, new Uint8Array())
        expect(checked.ok && JSON.parse(checked.record.meta!)).toEqual({ tenant: value })
      }),
    )
  })
  test('the extension meta is read back as in structured mode', () => {
    const checked = readBinaryEvent({ ...headers, 'ce-meta': '{"A":1}' }, new Uint8Array())
    expect(checked.ok && checked.record.meta).toBe('{"A":1}')
  })
  test.each<[Record<string, string>, string, string]>([
    [{ 'ce-subject': '%ff' }, '', 'body-malformed: the header ce-subject is not percent-encoded UTF-8'],
    [{ 'ce-subject': '100%' }, '', 'body-malformed: the header ce-subject is not percent-encoded UTF-8'],
    [{ 'ce-subject': 'é' }, '', 'body-malformed: the header ce-subject is not percent-encoded UTF-8'],
    [{ 'ce-subject': '%00' }, '', 'event-invalid: subject holds a control character'],
    [
      { 'ce-specversion': '0.3' },
      '',
      'event-invalid: specversion is not "1.0", the only version of CloudEvents that is read',
    ],
    [
      { 'content-type': 'application/json' },
      '{',
      'event-invalid: data is not valid JSON, which its content type says it is',
    ],
    [
      { 'content-type': 'text/plain', 'ce-datacontenttype': 'image/png' },
      '',
      'event-invalid: datacontenttype differs from the Content-Type header, which is where it belongs',
    ],
  ])('%j is refused', (change, body, message) => {
    expect(messages(change, body)).toEqual([message])
  })
  test('a content type that only ce-datacontenttype names is believed', () => {
    const checked = readBinaryEvent({ ...headers, 'ce-datacontenttype': 'image/png' }, Uint8Array.of(1))
    expect(checked.ok && checked.record.datacontenttype).toBe('image/png')
  })
})

test('a notBefore with a capital is the one of plain JSON, and no extension', () => {
  const record = recordOf({ ...structured, notBefore: '2026-01-01T00:00:00Z' })
  expect(JSON.parse(record.meta!)).toEqual({ notbefore: '2026-01-01T00:00:00Z' })
})
