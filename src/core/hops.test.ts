import { expect, test } from 'vitest'
import { isSameContent } from './content.ts'
import { Event, type EventRecord } from './event.ts'
import { hopsOf, readHops, withHops } from './hops.ts'

const record: EventRecord = { source: 's', id: '1', type: 't' }
const eventOf = (given: EventRecord) => new Event({ ...given, sequence: 1, appendedAt: 0 })

// SEC-16
test('the number of a request travels with the event', () => {
  expect(hopsOf(eventOf(record))).toBe(0)
  expect(hopsOf(eventOf(withHops(record, 2)))).toBe(2)
  const kept = withHops({ ...record, meta: '{"__proto__":1,"millracehops":1,"a":{"millracehops":7}}' }, 3)
  expect(kept.meta).toBe('{"__proto__":1,"millracehops":3,"a":{"millracehops":7}}')
  expect(withHops(record, 0)).toBe(record)
  const further = { ...record, meta: '{"millracehops":4}' }
  expect(withHops(further, 3)).toBe(further)
  expect(withHops({ ...record, meta: '{"millracehops":"4"}' }, 3).meta).toBe('{"millracehops":3}')
})

test('what is no number counts as none', () => {
  for (const text of [undefined, '', '-1', '1.5', '1e3', 'x', '99999']) expect(readHops(text), String(text)).toBe(0)
  expect(readHops('4')).toBe(4)
  for (const value of ['"2"', '-1', '1.5', 'null']) {
    expect(hopsOf(eventOf({ ...record, meta: `{"millracehops":${value}}` })), value).toBe(0)
  }
})

// SEC-16
test('an event that comes back by a circle is the same event', () => {
  expect(isSameContent(record, withHops(record, 1))).toBe(true)
})
