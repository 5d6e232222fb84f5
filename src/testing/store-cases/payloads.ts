import assert from 'node:assert/strict'
import type { EventRecord } from '../../core/event.ts'
import { append, event, own, row, type StoreCase, same } from './case.ts'

const kept = (name: string, record: Partial<EventRecord>): StoreCase => ({
  promise: `${name} comes back as it was given`,
  ids: ['G4'],
  async run({ open, platform }) {
    const store = await open()
    const given = event('a', record)
    await append(store, given)
    const expected = { ...given, sequence: 1, appendedAt: platform.clock.now() }
    const [read] = await store.read(0, 1)
    same(read!.record, expected)
    const { events } = await store.query({ limit: 1 })
    same(events[0]!.record, expected)
    same(await append(store, given), [{ status: 'duplicate', sequence: 1 }])
  },
})

const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index)

/** What data may hold. */
export const payloadCases: readonly StoreCase[] = [
  kept('an escaped NUL', { data: '{"text":"a\\u0000b"}' }),
  kept('a lone surrogate as an escape', { data: '"\\ud800"' }),
  kept('a number larger than a double can hold', { data: '{"n":12345678901234567890123,"z":-0,"e":1e400}' }),
  kept('numeric text', { data: '0.10000000000000000000000001' }),
  kept('repeated keys and odd names', { data: '{"__proto__":{"x":1},"constructor":2,"":3,"a":1,"a":2}' }),
  kept('spacing', { data: ' { "a" : [ 1 , 2 ] }\n' }),
  kept('null', { data: 'null' }),
  kept('text in other scripts', { data: '"日本語 🎉 \u202e"', subject: 'ключ', id: '🎉', type: 'order.placed' }),
  kept('an empty byte string', { data: new Uint8Array(0), datacontenttype: 'application/octet-stream' }),
  kept('every byte', { data: everyByte, datacontenttype: 'image/png' }),
  kept('bytes that are no UTF-8', { data: Uint8Array.of(0xff, 0xfe, 0x00, 0xc3), datacontenttype: 'text/plain' }),
  kept('an event of 1 MiB', { data: JSON.stringify('x'.repeat(1_048_574)) }),
  kept('a long id and source', { id: 'i'.repeat(1024), source: `urn:${'s'.repeat(1000)}` }),
  {
    promise: 'bytes are kept when the caller uses its buffer again',
    ids: ['G4'],
    async run({ open }) {
      const store = await open()
      const buffer = Uint8Array.of(1, 2, 3)
      await append(store, event('a', { data: buffer, datacontenttype: 'application/octet-stream' }))
      buffer.fill(9)
      const [stored] = await store.read(0, 1)
      same(stored!.record.data, Uint8Array.of(1, 2, 3))
    },
  },
  {
    promise: 'bytes in a part of a larger buffer are only that part',
    ids: ['G4'],
    async run({ open }) {
      const store = await open()
      await append(store, event('a', { data: everyByte.subarray(10, 12), datacontenttype: 'application/octet-stream' }))
      const [stored] = await store.read(0, 1)
      same(stored!.record.data, Uint8Array.of(10, 11))
    },
  },
  {
    promise: 'text and bytes with the same content are two contents',
    ids: ['G4', 'G6'],
    async run({ open }) {
      const store = await open()
      await append(store, event('a', { data: '"x"' }))
      same(await append(store, event('a', { data: new TextEncoder().encode('"x"') })), [
        { status: 'conflict', sequence: 1 },
      ])
    },
  },
  {
    promise: 'many large events are read in order, in as many reads as it takes',
    ids: ['G28'],
    async run({ open }) {
      const store = await open()
      const large = JSON.stringify('y'.repeat(400_000))
      for (let round = 0; round < 6; round++) {
        await append(store, ...Array.from({ length: 4 }, (_, index) => event(round * 4 + index, { data: large })))
      }
      let after = 0
      for (let reads = 0; after < 24; reads++) {
        assert.ok(reads < 24, 'each read brings at least one event')
        const events = await store.read(after, 100)
        assert.equal(events[0]!.sequence, after + 1)
        assert.equal(events[0]!.record.data, large)
        after = events.at(-1)!.sequence
      }
    },
  },
  {
    promise: 'a row keeps a replaced event of bytes',
    ids: ['G4', 'K6'],
    async run({ open }) {
      const store = await open()
      const crm = await own(store)
      const replaced = row(1, { event: event(1, { data: everyByte, datacontenttype: 'image/png' }) })
      await crm.change({ put: [replaced] })
      same(await store.rows('crm', { limit: 1 }), [replaced])
    },
  },
]
