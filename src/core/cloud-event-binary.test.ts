import { HTTP } from 'cloudevents'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readBinaryEvent } from './cloud-event.ts'
import { binaryAttributes } from './cloud-event-binary.ts'
import { Event, type StoredRecord } from './event.ts'

const base: StoredRecord = { source: 'shop', id: '1', type: 'order.placed', sequence: 7, appendedAt: 1_750_000_000_000 }
const headersOf = (record: StoredRecord): Record<string, string> => {
  const flat = binaryAttributes(new Event(record))
  return Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]!]] : [])))
}

test('an event becomes headers, percent-encoded as the binding says', () => {
  const record = {
    ...base,
    subject: 'Euro € 😀 100% "q"',
    dataschema: 'https://example.com/s',
    time: '2026-01-01T00:00:00Z',
    meta: '{"traceparent":"00-a","retries":3,"Big":{"x":"ü"}}',
  }
  expect(headersOf(record)).toEqual({
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': 'shop',
    'ce-type': 'order.placed',
    'ce-subject': 'Euro%20%E2%82%AC%20%F0%9F%98%80%20100%25%20%22q%22',
    'ce-time': '2026-01-01T00:00:00Z',
    'ce-sequence': '7',
    'ce-recordedtime': '2025-06-15T15:06:40.000Z',
    'ce-dataschema': 'https://example.com/s',
    'ce-traceparent': '00-a',
    'ce-retries': '3',
    'ce-meta': '{%22Big%22:{%22x%22:%22%C3%BC%22}}',
  })
})

test('whatever the texts are, headers are printable ASCII and are read back as they were', () => {
  const text = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 50 })
    .filter((each) => !/[\p{Cc}\p{Cs}]/u.test(each))
  fc.assert(
    fc.property(text, text, (id, subject) => {
      const headers = headersOf({ ...base, id, subject, meta: JSON.stringify({ note: id, Other: subject }) })
      for (const value of Object.values(headers)) expect(value).toMatch(/^[\x21\x23-\x7e]*$/)
      const read = readBinaryEvent({ ...headers, 'content-type': 'application/json' }, Buffer.from('{"a":1}'))
      if (!read.ok) throw new Error(read.issues.map(({ message }) => message).join())
      expect(read.record).toMatchObject({ id, subject, data: '{"a":1}' })
      expect(JSON.parse(read.record.meta!)).toMatchObject({ note: id, Other: subject })
    }),
    { numRuns: 200 },
  )
})

test('the cloudevents package reads it', () => {
  const headers = headersOf({ ...base, subject: 'o-1', meta: '{"tenant":"a"}' })
  const parsed = HTTP.toEvent({ headers: { ...headers, 'content-type': 'application/json' }, body: '{"total":1}' })
  expect(parsed).toMatchObject({ id: '1', source: 'shop', subject: 'o-1', tenant: 'a', data: { total: 1 } })
})

test('an event of a replay says which', () => {
  expect(headersOf({ ...base, replayid: 'r 1' })).toMatchObject({ 'ce-replayid': 'r%201' })
  expect(headersOf(base)).not.toHaveProperty('ce-replayid')
})
