import { describe, expect, it } from 'vitest'
import { eventToJson, readJsonEvents } from './cloud-event.ts'
import { binaryAttributes } from './cloud-event-binary.ts'
import { Event } from './event.ts'
import { markReplayed } from './replayed.ts'

const event = new Event({
  source: 'shop',
  id: '1',
  type: 'order.placed',
  data: '{"n":1}',
  meta: '{"tenant":"a"}',
  sequence: 7,
  appendedAt: 0,
})

describe('an event of a replay', () => {
  it('is the same event, and says by which replay it comes', () => {
    const marked = markReplayed(event, 'r1')
    expect(marked.replayid).toBe('r1')
    expect([marked.sequence, marked.id, marked.data, marked.meta]).toEqual([7, '1', { n: 1 }, { tenant: 'a' }])
    expect(event.replayid).toBeUndefined()
  })

  it('carries the extension replayid on every wire, and no other event does', () => {
    const marked = markReplayed(event, 'r1')
    expect(JSON.parse(eventToJson(marked))).toMatchObject({ replayid: 'r1', sequence: '7', tenant: 'a' })
    const headers = binaryAttributes(marked)
    expect(headers[headers.indexOf('ce-replayid') + 1]).toBe('r1')
    expect(eventToJson(event)).not.toContain('replayid')
    expect(binaryAttributes(event)).not.toContain('ce-replayid')
  })

  it('is the very event that was sent before, for a pipeline that gets it from this one', () => {
    const read = (sent: Event): unknown => {
      const result = readJsonEvents(eventToJson(sent), 'single')
      return result.ok && result.events.map((checked) => checked.ok && checked.record)
    }
    expect(read(markReplayed(event, 'r1'))).toEqual(read(event))
    expect(read(event)).toMatchObject([{ id: '1', meta: '{"tenant":"a"}' }])
  })
})
