import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { createBodyReader, offLoopBytes } from './body-reader.ts'
import { readBody } from './read-body.ts'
import { openTestServer, order } from './server.test-support.ts'

const large = { bodyBytes: 8 * 2 ** 20, batch: 100_000, depth: 64 }
const readLimits = { dataBytes: large.bodyBytes, depth: large.depth, batch: large.batch }
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
const many = (count: number) =>
  Array.from({ length: count }, (_, n) => order(String(n), { data: { text: 'ä'.repeat(80) } }))

// SEC-32
test('a body of 4 MiB is read while the event loop goes on', async () => {
  const reader = createBodyReader()
  const bytes = encode(many(17_000))
  expect(bytes.length).toBeGreaterThan(3.5 * 2 ** 20)
  // Both are warm before anything is measured.
  await reader.read(bytes.slice(), { kind: 'batch' }, readLimits)
  const began = performance.now()
  const here = readBody(bytes, { kind: 'batch' }, readLimits)
  const inLoopMs = performance.now() - began
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const there = await reader.read(bytes, { kind: 'batch' }, readLimits)
  delay.disable()
  expect(there).toEqual(here)
  // A busy machine stretches both: what counts is that one turn is a small part of the whole.
  expect(delay.max / 1e6).toBeLessThan(Math.max(50, inLoopMs / 3))
})

test('whether read here or there, a body is the same events or the same problem', async () => {
  const reader = createBodyReader()
  const text = 'x'.repeat(offLoopBytes)
  const bodies: readonly (readonly [Uint8Array, Parameters<typeof readBody>[1]])[] = [
    [encode(order('1', { data: text })), { kind: 'json' }],
    [encode(order('1', { data: text })), { kind: 'single' }],
    [encode(many(3_000)), { kind: 'json' }],
    [encode([...many(3_000), 7, { id: 'no source' }]), { kind: 'batch' }],
    [encode(order('1', { data: text })), { kind: 'line' }],
    [encode(`"${text}`), { kind: 'batch' }],
    [new TextEncoder().encode(`{"id":"${text}`), { kind: 'single' }],
    [new TextEncoder().encode(`${'['.repeat(offLoopBytes)}`), { kind: 'batch' }],
    [
      new Uint8Array(offLoopBytes + 1).fill(7),
      {
        kind: 'binary',
        headers: {
          'content-type': 'application/octet-stream',
          'ce-id': '1',
          'ce-source': 's',
          'ce-type': 't',
          'ce-specversion': '1.0',
        },
      },
    ],
  ]
  for (const [bytes, form] of bodies) {
    expect(bytes.length).toBeGreaterThan(offLoopBytes - 1)
    const around = new Uint8Array(bytes.length + 20)
    around.set(bytes, 10)
    const read = reader.read(around.subarray(10, bytes.length + 10), form, readLimits)
    expect(await read).toEqual(readBody(bytes, form, readLimits))
  }
  const notText = new Uint8Array(offLoopBytes + 1).fill(0xff)
  await expect(reader.read(notText, { kind: 'json' }, readLimits)).rejects.toMatchObject({ code: 'body-malformed' })
})

// SEC-32
test('a small body is read at once, without a thread', () => {
  expect(createBodyReader().read(encode(order('1')), { kind: 'json' }, readLimits)).not.toBeInstanceOf(Promise)
})

test('large batches, events and lines are stored as small ones are, and what is wrong is said as always', async () => {
  const { publish, pipeline } = await openTestServer({}, { limits: large })
  const batch = await publish(many(4_000))
  const { results } = (await batch.json()) as { results: { status: string }[] }
  expect([batch.status, results.length, new Set(results.map(({ status }) => status))]).toEqual([
    200,
    4_000,
    new Set(['stored']),
  ])
  const data = { text: 'y'.repeat(2 * offLoopBytes) }
  expect((await publish(order('large', { data }))).status).toBe(201)
  expect((await publish(order('large', { data }))).status).toBe(200)
  expect((await publish(order('large', { data: { text: `z${data.text}` } }))).status).toBe(409)
  const lines = [order('a', { data }), order('b')].map((each) => JSON.stringify(each)).join('\n')
  const stream = await (await publish(lines, 'application/x-ndjson')).text()
  expect(stream.match(/"status":"stored"/g)).toHaveLength(2)
  expect((await publish(`{"id":"${data.text}`)).status).toBe(400)
  expect((await publish(`[${'['.repeat(2 * offLoopBytes)}`)).status).toBe(400)
  expect(pipeline.store.head()).toBe(4_003)
})
