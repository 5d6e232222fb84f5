import { describe, expect, it } from 'vitest'
import {
  compileRules,
  type DebounceRule,
  groupKey,
  type HeldEvent,
  isDue,
  joinGroup,
  type PendingGroup,
  promote,
} from './debounce.ts'

const rule = (change: Partial<DebounceRule> = {}): DebounceRule => ({
  match: ['*'],
  strategy: 'debounce',
  windowMs: 100,
  maxWaitMs: 1000,
  ...change,
})
const event = (change: Partial<HeldEvent> = {}): HeldEvent => ({
  source: 'files',
  id: 'raw',
  type: 'file.changed',
  subject: 'a.txt',
  data: 1,
  ...change,
})
const digest = (text: string): string => `digest-of-${text.length}`
const grown = (times: readonly number[], by = rule()): PendingGroup =>
  times.reduce<PendingGroup | undefined>((group, at) => joinGroup(group, event({ data: at }), by, at), undefined)!

describe('rules', () => {
  it('take the first that matches; no match means no waiting', () => {
    // S0-105
    const first = rule({ match: ['file.changed'], windowMs: 1 })
    const second = rule({ match: ['file.*'], windowMs: 2 })
    const ruleFor = compileRules([first, second])
    expect(ruleFor('file.changed')).toBe(first)
    expect(ruleFor('file.removed')).toBe(second)
    expect(ruleFor('folder.removed')).toBeUndefined()
  })

  it('an event without a subject has no group', () => {
    // S0-107
    expect(groupKey({ source: 's', type: 'a.b' })).toBeUndefined()
    expect(groupKey({ source: 's', type: 'a.b', subject: 'x' })).not.toBe(
      groupKey({ source: 's', type: 'a', subject: 'b.x' }),
    )
  })
})

describe('the end of a group', () => {
  it('debounce: moves on with every event', () => {
    // S0-105
    expect(grown([0]).flushAtMs).toBe(100)
    expect(grown([0, 90, 150]).flushAtMs).toBe(250)
  })

  it('debounce: never beyond maxWait after the first event', () => {
    // S0-110
    const steady = Array.from({ length: 100 }, (_, n) => n * 50)
    expect(grown(steady).flushAtMs).toBe(1000)
  })

  it('batch: stands when the first event comes', () => {
    // S0-105
    expect(grown([10, 90, 105], rule({ strategy: 'batch' })).flushAtMs).toBe(110)
  })

  it('has come when its time has come, or when the clock was set back', () => {
    // S0-110
    const group = grown([5000])
    expect(isDue(group, 5099)).toBe(false)
    expect(isDue(group, 5100)).toBe(true)
    expect(isDue(group, 4999)).toBe(true)
  })
})

describe('a group', () => {
  it('holds the latest data and the meta of all, the newest entries winning', () => {
    // S0-106
    const first = joinGroup(undefined, event({ data: 'old', meta: { a: 1, b: 1 } }), rule(), 0)
    const second = joinGroup(first, event({ data: 'new', meta: { b: 2, c: 2 } }), rule(), 10)
    expect(second.event).toMatchObject({ data: 'new', meta: { a: 1, b: 2, c: 2 } })
    expect(second).toMatchObject({ count: 2, firstSeenMs: 0, lastSeenMs: 10 })
  })

  it('keeps the newest meta alone when all of it together would be too much for one event', () => {
    const long = (key: string) => joinGroup(undefined, event({ meta: { [key]: 'x'.repeat(10_000) } }), rule(), 0)
    const both = joinGroup(long('a'), long('b').event, rule(), 10)
    expect(Object.keys(both.event.meta!)).toEqual(['b'])
    expect(both.count).toBe(2)
  })

  it('becomes one event, named after its type, subject and first second, of the time it was last seen', () => {
    // S0-108
    const promoted = promote(grown([61_000, 61_050, 62_100]), 1, digest)
    expect(promoted).toEqual({
      source: 'files',
      id: 'coalesced:file.changed:a.txt:61',
      type: 'file.changed',
      subject: 'a.txt',
      data: 62_100,
      time: '1970-01-01T00:01:02.100Z',
      meta: {
        coalesced: true,
        coalesced_count: 3,
        first_seen_at: '1970-01-01T00:01:01.000Z',
        last_seen_at: '1970-01-01T00:01:02.100Z',
      },
    })
  })

  it('says nothing of coalescing when it held a single event', () => {
    // S0-108
    expect(promote(grown([0]), 1, digest).meta).toEqual({})
    const withMeta = joinGroup(undefined, event({ meta: { a: 1 } }), rule(), 0)
    expect(promote(withMeta, 1, digest).meta).toEqual({ a: 1 })
  })

  it('takes a suffix when its id is taken', () => {
    // S0-108
    expect(promote(grown([0]), 2, digest).id).toBe('coalesced:file.changed:a.txt:0:2')
  })

  it('has an id within its bound, whatever its subject', () => {
    const long = joinGroup(undefined, event({ subject: 'x'.repeat(512) }), rule(), 0)
    expect(promote(long, 1, digest).id).toBe('coalesced:digest-of-525:0')
  })
})
