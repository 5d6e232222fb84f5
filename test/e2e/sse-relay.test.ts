import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openPipeline, type PipelineConfig } from '../../src/index.ts'
import { openServer } from '../../src/server/index.ts'
import { sse as sseSink } from '../../src/sinks/sse.ts'
import { sse as sseSource } from '../../src/sources/sse.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'

const limits = { bodyBytes: 65_536, batch: 1_000, depth: 64 }
const events = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    source: 'shop',
    id: String(from + i),
    type: 'order.placed',
    subject: `o-${from + i}`,
    data: { no: from + i },
  }))

// S1-07, K1
test('one pipeline follows another over its event stream, through restarts of both, with nothing missing or twice', {
  timeout: 60_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-relay-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const upstream = await openPipeline({ store: memory(), subscriptions: { feed: { sink: sseSink() } } })
  let server = await openServer(upstream, { host: '127.0.0.1', port: 0, limits })
  const { port } = server
  const config: PipelineConfig = {
    store: sqlite({ path: join(folder, 'events.db') }),
    egress: { allow: [`127.0.0.1:${port}`] },
    sources: {
      feed: sseSource({ url: `http://127.0.0.1:${port}/v1/subscriptions/feed/stream?after=0`, retry: '20ms' }),
    },
  }
  onTestFinished(async () => {
    await server.close(100)
    await upstream.stop()
  })
  await upstream.publish(events(1, 500))
  let follower = await openPipeline(config)
  await vi.waitFor(() => expect(follower.store.head()).toBe(500), { timeout: 20_000 })

  await follower.stop()
  await upstream.publish(events(501, 900))
  follower = await openPipeline(config)
  onTestFinished(() => follower.stop())
  await vi.waitFor(() => expect(follower.store.head()).toBe(900), { timeout: 20_000 })

  await server.close(100)
  await upstream.publish(events(901, 1_000))
  server = await openServer(upstream, { host: '127.0.0.1', port, limits })
  await vi.waitFor(() => expect(follower.store.head()).toBe(1_000), { timeout: 20_000 })
  const copies = await follower.store.readMany([1, 501, 1_000])
  expect(copies.map((event) => [event?.source, event?.id, event?.subject, event?.data])).toEqual(
    [1, 501, 1_000].map((no) => ['shop', String(no), `o-${no}`, { no }]),
  )
  expect(follower.stats().sources['feed']).toMatchObject({ stored: 500, duplicate: 0, conflict: 0, refused: 0 })
})
