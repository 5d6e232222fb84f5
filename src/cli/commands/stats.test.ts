import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openPipeline } from '../../pipeline.ts'
import { stage } from '../../plugin/stage-function.ts'
import { openServer } from '../../server/index.ts'
import { memory } from '../../stores/memory.ts'
import { recordingSink } from '../../testing/recording-sink.ts'
import { createMemoryIo } from '../io.ts'
import { main } from '../main.ts'

// S1-44
test('stats of a running pipeline has a line for each stage and the sink; --json has the same', async () => {
  const pipeline = await openPipeline({
    store: memory(),
    subscriptions: {
      crm: {
        stages: [stage('look', ({ event: { id } }) => ({ outcome: id === '2' ? 'discard' : 'ack' }))],
        sink: recordingSink(),
      },
    },
  })
  const server = await openServer(pipeline, {
    host: '127.0.0.1',
    port: 0,
    limits: { bodyBytes: 1024, batch: 10, depth: 64 },
  })
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-stats-'))
  onTestFinished(async () => {
    await server.close(0)
    await pipeline.stop()
    rmSync(cwd, { recursive: true })
  })
  const { port } = new URL(server.url)
  writeFileSync(join(cwd, 'millrace.yaml'), `store: { type: memory }\nserver: { port: ${port} }\n`, { mode: 0o600 })
  await pipeline.publish(['1', '2', '3'].map((id) => ({ source: 'shop', id, type: 'order.placed' })))
  await pipeline.idle()
  const stats = async (...argv: string[]) => {
    const io = createMemoryIo({ cwd, env: {} })
    await main(['stats', ...argv], io)
    return io.stdout
  }
  const text = await stats()
  expect(text).toMatch(/^subscription +stage +items +ms each +waiting +running +failed +waits +discarded +rejected$/m)
  expect(text).toMatch(/^crm +look +3 +\d+\.\d{3} +0 +0 +0 +0 +1 +0$/m)
  expect(text).toMatch(/^crm +sink +2 +\d+\.\d{3} +0 +0 +0 +0 +0 +0$/m)
  const { subscriptions } = JSON.parse(await stats('--json'))
  expect(subscriptions[0].stages).toMatchObject([
    { name: 'look', items: 3, passed: 2, discarded: 1 },
    { name: 'sink', items: 2, passed: 2 },
  ])
})
