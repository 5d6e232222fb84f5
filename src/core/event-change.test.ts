import { describe, expect, test } from 'vitest'
import type { StoredRecord } from './event.ts'
import { type ChangedFields, checkChanged } from './event-check.ts'

const record: StoredRecord = {
  sequence: 7,
  appendedAt: 1_000,
  source: 'shop',
  id: '1',
  type: 'order.placed',
  subject: 'order-1',
  time: '2026-01-31T12:00:00Z',
  data: '{"total":1}',
  meta: '{"tenant":"a"}',
}

function changed(change: ChangedFields): StoredRecord {
  const checked = checkChanged(record, change)
  if (!checked.ok) throw new Error(checked.issues.map(({ message }) => message).join('; '))
  return checked.record
}

function problemsOf(change: ChangedFields, limits = {}): readonly string[] {
  const checked = checkChanged(record, change, limits)
  return checked.ok ? [] : checked.issues.map(({ message }) => message)
}

describe('an event that somebody changes', () => {
  test('keeps what is not named, its key and its place', () => {
    expect(changed({})).toEqual(record)
    expect(changed({ type: undefined })).toEqual(record)
    expect(changed({ type: 'order.placed' })).toEqual(record)
  })

  test('has its new type, subject, time, data and meta', () => {
    const fields = { type: 'order.seen', subject: 's', time: '2027-01-01T00:00:00Z', data: [1], meta: { a: 1 } }
    expect(changed(fields)).toEqual({ ...record, ...fields, data: '[1]', meta: '{"a":1}' })
  })

  test('loses what is given as undefined', () => {
    const { subject, time, data, meta, ...rest } = record
    expect(changed({ subject: undefined, time: undefined, data: undefined, meta: undefined })).toEqual(rest)
  })

  test('is checked where it changed, as it is when it comes in', () => {
    expect(problemsOf({ type: '' })).toEqual(['type is empty'])
    expect(problemsOf({ type: 'a..b' })).toEqual([expect.stringMatching(/^type has an empty segment/)])
    expect(problemsOf({ type: 'millrace.x' })).toEqual([expect.stringMatching(/belong to the engine/)])
    expect(problemsOf({ subject: 7, time: 'noon' })).toHaveLength(2)
    expect(problemsOf({ data: 1n })).toEqual([expect.stringMatching(/^data cannot be written as JSON/)])
    expect(problemsOf({ data: 'xxxx', meta: { a: 'xxxx' } }, { dataBytes: 4, metaBytes: 4 })).toEqual([
      'data is larger than 4 bytes',
      'meta is larger than 4 bytes',
    ])
    expect(problemsOf({ meta: { notbefore: 'soon' } })).toHaveLength(1)
  })
})
