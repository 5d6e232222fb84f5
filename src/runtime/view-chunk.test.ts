import { expect, test } from 'vitest'
import { Event } from '../core/event.ts'
import { emptyChunk, encodeChunks, narrowTo, restOf } from './view-chunk.ts'

const eventAt = (sequence: number, type = 'order.placed'): Event =>
  new Event({ sequence, appendedAt: 0, source: 'shop', id: `e${sequence}`, type })
const events = (...sequences: number[]): Event[] => sequences.map((sequence) => eventAt(sequence))
const lens = (text = '{}') => ({ shows: ({ type }: Event) => type !== 'hidden', encode: () => text })
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

test('a chunk says which stretch of the log it covers, also where nothing is shown', () => {
  const [chunk, ...rest] = encodeChunks(4, [eventAt(5, 'hidden'), eventAt(6), eventAt(7, 'hidden')], 'inc', lens())
  expect(rest).toEqual([])
  expect(chunk).toMatchObject({ after: 4, first: 5, upTo: 7 })
  expect(textOf(chunk!.bytes)).toBe('id: inc-6\nevent: order.placed\ndata: {}\n\n')
  expect(encodeChunks(4, [eventAt(5, 'hidden')], 'inc', lens())).toMatchObject([{ after: 4, upTo: 5, frames: [] }])
})

test('chunks follow one another and end where events are missing', () => {
  const spans = encodeChunks(2, events(5, 6, 9, 10), 'inc', lens()).map(({ after, first, upTo }) => [
    after,
    first,
    upTo,
  ])
  expect(spans).toEqual([
    [2, 5, 6],
    [6, 9, 10],
  ])
})

// G28
test('a chunk is bounded, and so is what one read is encoded to', () => {
  const chunks = encodeChunks(
    0,
    events(...Array.from({ length: 500 }, (_, i) => i + 1)),
    'inc',
    lens('x'.repeat(10_000)),
  )
  for (const { bytes } of chunks) expect(bytes.length).toBeLessThan(76 * 1024)
  const total = chunks.reduce((sum, { bytes }) => sum + bytes.length, 0)
  expect(total).toBeGreaterThan(900 * 1024)
  expect(total).toBeLessThan(1200 * 1024)
  expect(chunks.at(-1)!.upTo).toBeLessThan(120)
})

test('who stands within a chunk gets the rest of it, by bytes, whatever the script', () => {
  const [chunk] = encodeChunks(0, events(1, 2, 3), 'inc', lens('"日本"'))
  const { bytes, count } = restOf(chunk!, 2)
  expect([textOf(bytes), count]).toEqual(['id: inc-3\nevent: order.placed\ndata: "日本"\n\n', 1])
  expect(restOf(chunk!, 0)).toEqual({ bytes: chunk!.bytes, count: 3 })
  expect(restOf(chunk!, 3)).toMatchObject({ count: 0 })
  expect(restOf(emptyChunk(1, 4), 1)).toMatchObject({ count: 0 })
})

// S0-71
test('narrowing leaves out whole events, once for everybody, and keeps the stretch', () => {
  const [chunk] = encodeChunks(0, [eventAt(1, 'a'), eventAt(2, 'b'), eventAt(3, 'a')], 'inc', lens('"é"'))
  const narrow = narrowTo(['a'])
  const narrowed = narrow(chunk!)
  expect(narrowed).toMatchObject({ after: 0, first: 1, upTo: 3 })
  expect(textOf(narrowed.bytes)).toBe('id: inc-1\nevent: a\ndata: "é"\n\nid: inc-3\nevent: a\ndata: "é"\n\n')
  expect(textOf(restOf(narrowed, 1).bytes)).toBe('id: inc-3\nevent: a\ndata: "é"\n\n')
  expect(narrow(chunk!)).toBe(narrowed)
  expect(narrowTo(['*'])(chunk!)).toBe(chunk)
})
