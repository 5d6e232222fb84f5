import { expect, test } from 'vitest'
import { Event } from './event.ts'
import { checkEvent, type EventLimits } from './event-check.ts'
import { notBeforeOf } from './not-before.ts'

const least = { source: 'shop', id: '42', type: 'order.placed' }
const nowMs = Date.parse('2026-01-01T00:00:00Z')
const later = '2026-01-01T08:00:00+02:00'

function metaOf(input: object, limits?: EventLimits): unknown {
  const checked = checkEvent({ ...least, ...input }, limits)
  if (!checked.ok) throw new Error(checked.issues.map(({ message }) => message).join('; '))
  return checked.record.meta === undefined ? undefined : JSON.parse(checked.record.meta)
}
const problemOf = (input: object, limits?: EventLimits) => {
  const checked = checkEvent({ ...least, ...input }, limits)
  return checked.ok ? undefined : checked.issues.map(({ message }) => message)
}

test('a time before which an event is not to be delivered becomes the meta entry notbefore', () => {
  expect(metaOf({ notBefore: later })).toEqual({ notbefore: later })
  expect(metaOf({ notBefore: new Date(0), meta: { a: 1 } })).toEqual({ a: 1, notbefore: '1970-01-01T00:00:00.000Z' })
  expect(metaOf({ notbefore: later })).toEqual({ notbefore: later })
  expect(metaOf({ meta: { notbefore: new Date(0) } })).toEqual({ notbefore: '1970-01-01T00:00:00.000Z' })
  expect(metaOf({ notBefore: later, meta: { notbefore: later } })).toEqual({ notbefore: later })
  expect(metaOf({ notBefore: null, meta: { notbefore: null } })).toEqual({ notbefore: null })
})

test('what is no time is refused, however it came', () => {
  const words = 'notBefore is not RFC 3339: write it as 2026-01-31T12:00:00Z'
  expect(problemOf({ notBefore: '5m' })).toEqual([words])
  expect(problemOf({ meta: { notbefore: 'tomorrow' } })).toEqual([words])
  expect(problemOf({ notBefore: 5 })).toEqual(['notBefore must be a string'])
  expect(problemOf({ notBefore: '' })).toEqual(['notBefore is empty'])
  expect(problemOf({ notBefore: new Date(Number.NaN) })).toEqual(['notBefore is an invalid Date'])
  expect(problemOf({ notBefore: '2026-12-31T23:59:60Z' })).toEqual([
    'notBefore names a leap second: name the second after it',
  ])
  expect(problemOf({ notBefore: later, meta: { notbefore: '2026-01-02T00:00:00Z' } })).toEqual([
    'notBefore and the meta entry notbefore are one thing, but differ: give one',
  ])
  expect(problemOf({ notBefore: later, meta: 'none' })).toEqual(['meta must be a plain object'])
})

test('it may lie a year ahead and no further; without a clock it may lie anywhere', () => {
  expect(problemOf({ notBefore: '2027-01-01T00:00:00Z' }, { nowMs })).toBeUndefined()
  expect(problemOf({ notBefore: '2027-01-03T00:00:00Z' }, { nowMs })).toEqual(['notBefore is more than a year ahead'])
  expect(problemOf({ notBefore: '2001-01-01T00:00:00Z' }, { nowMs })).toBeUndefined()
  expect(problemOf({ notBefore: '2999-01-01T00:00:00Z' })).toBeUndefined()
})

test('a stored event says it in milliseconds; one that says nothing, or nothing that is a time, is for at once', () => {
  const of = (meta: string | undefined) => notBeforeOf(new Event({ ...least, meta, sequence: 1, appendedAt: 0 }))
  expect(of(`{"notbefore":"${later}"}`)).toBe(Date.parse(later))
  expect(of(undefined)).toBeUndefined()
  expect(of('{"a":1}')).toBeUndefined()
  expect(of('{"notbefore":"soon"}')).toBeUndefined()
  expect(of('{"notbefore":7}')).toBeUndefined()
})
