import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { openPipeline } from '../../pipeline.ts'
import type { Pipeline } from '../../runtime/api.ts'
import { openServer } from '../../server/index.ts'
import { memory } from '../../stores/memory.ts'
import { recordingSink } from '../../testing/recording-sink.ts'
import { createMemoryIo, type MemoryIo } from '../io.ts'
import { main } from '../main.ts'

let pipeline: Pipeline
let cwd: string

beforeEach(async () => {
  pipeline = await openPipeline({
    store: memory(),
    subscriptions: { idle: { match: ['user.*'], sink: recordingSink() }, orders: { sink: recordingSink() } },
  })
  const limits = { bodyBytes: 1024, batch: 10, depth: 64 }
  const server = await openServer(pipeline, { host: '127.0.0.1', port: 0, limits })
  cwd = mkdtempSync(join(tmpdir(), 'millrace-top-'))
  const { port } = new URL(server.url)
  writeFileSync(join(cwd, 'millrace.yaml'), `store: { type: memory }\nserver: { port: ${port} }\n`, { mode: 0o600 })
  onTestFinished(async () => {
    await server.close(0)
    await pipeline.stop()
    rmSync(cwd, { recursive: true })
  })
})

const order = (id: number) => ({ source: 'shop', id: String(id), type: 'order.placed' })

/** Runs `top` while an event is published every few milliseconds. */
async function top(argv: readonly string[], given: Parameters<typeof createMemoryIo>[0] = {}): Promise<MemoryIo> {
  const io = createMemoryIo({ cwd, env: {}, ...given })
  let isOver = false
  const shown = main(['top', '--every', '200ms', ...argv], io).finally(() => {
    isOver = true
  })
  for (let id = 0; !isOver; id++) {
    await pipeline.publish(order(id))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await shown
  return io
}

test('top shows the busiest subscription first, with what it delivers a second', async () => {
  const { stdout, exitCode } = await top(['--count', '2'])
  expect(exitCode).toBe(0)
  const frames = stdout.split(/^the server at /m).slice(1)
  expect(frames).toHaveLength(2)
  expect(frames[1]).toMatch(/^http:\S+: \d+ events, [1-9]\d* new a second\n\nsubscription +state +.* per s /)
  expect(frames[1]).toMatch(/\norders +running( +\d+){4} +[1-9]\d* .*\nidle +running( +\d+){4} +0 /)
  expect(stdout).not.toContain('\u001b')
})

test('on a terminal each look takes the place of the one before', async () => {
  const { stdout } = await top(['--count', '2'], { isTty: true, columns: 80 })
  expect(stdout.split('\u001b[H\u001b[2J')).toHaveLength(3)
})

test('top --json prints one line for each look; --limit leaves the quiet ones out', async () => {
  const { stdout } = await top(['--count', '2', '--limit', '1', '--json'])
  const looks = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(looks).toHaveLength(2)
  expect(looks[1]).toMatchObject({ head: expect.any(Number), subscriptions: [{ name: 'orders', state: 'running' }] })
  expect(looks[1].subscriptions[0].perSecond).toBeGreaterThan(0)
})

test('a wrong duration says what is meant', async () => {
  const io = createMemoryIo({ cwd, env: {} })
  await main(['top', '--every', '5'], io)
  expect(io.exitCode).toBe(2)
  expect(io.stderr).toContain('--every "5" is not a duration of at least 100ms, such as 2s')
})
