import { join } from 'node:path'
import { openPipeline } from 'millrace'
import { createClient, type PublishResult } from 'millrace/client'
import { openServer } from 'millrace/server'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { freePort } from '../e2e/cli-process.ts'
import { type Fault, openBadNetwork } from './bad-network.ts'
import { run, temporaryFolder, until } from './process.ts'

const limits = { bodyBytes: 2 ** 20, batch: 1000, depth: 64 }
const quick = { first: '1ms', most: '20ms', giveUpAfter: '60s' }

/** The ids of all stored events, in order. */
async function storedIds(folder: string): Promise<string[]> {
  await using pipeline = await openPipeline({ store: sqlite({ path: join(folder, 'events.db') }) })
  const ids: string[] = []
  for (let after = 0; ; ) {
    const events = await pipeline.store.read(after, 1000)
    if (events.length === 0) return ids
    ids.push(...events.map(({ id }) => id))
    after = events.at(-1)!.sequence
  }
}

function expectEachOnce(ids: readonly string[], wanted: Iterable<string>): void {
  expect(ids.length - new Set(ids).size).toBe(0)
  const stored = new Set(ids)
  expect([...wanted].filter((id) => !stored.has(id))).toEqual([])
}

// G3 S3-19 S0-17
test('with a server that is killed, busy and cut off in the middle, every event is stored exactly once', async () => {
  const folder = temporaryFolder()
  const port = await freePort()
  let server = run('client-server.ts', folder, String(port))
  await server.says('ready')
  const faults: readonly Fault[] = ['refuse', 'cut-request', 'cut-answer', 'swallow-answer', 'busy']
  let connections = 0
  const suffered = new Map<Fault, number>()
  const { url } = await openBadNetwork(port, () => {
    const fault = connections % 3 === 2 ? 'none' : faults[connections % faults.length]!
    connections += 1
    suffered.set(fault, (suffered.get(fault) ?? 0) + 1)
    return fault
  })
  // A connection for each request, so that each has its turn at being cut.
  const close = { connection: 'close' }
  const client = createClient({
    url,
    source: 'shop',
    batch: { size: 20 },
    timeout: '5s',
    retry: quick,
    fetch: (to, init) => fetch(to, { ...init, headers: { ...init.headers, ...close } }),
  })
  onTestFinished(() => client.close({ deadline: '0ms' }))
  const results: PublishResult[] = []
  const publisher = async (name: number): Promise<void> => {
    for (let i = 0; i < 30; i++) {
      const one = { id: `${name}-${i}`, type: 'order.placed', data: 'x'.repeat(100) }
      if (i % 3 === 0) results.push(await client.publish(one))
      else results.push(...(await client.publish([one, { type: 'order.paid' }])))
    }
  }
  const publishing = Promise.all(Array.from({ length: 10 }, (_, name) => publisher(name)))
  for (const seen of [100, 300]) {
    await until(() => results.length >= seen, 25_000)
    await server.end('SIGKILL')
    server = run('client-server.ts', folder, String(port))
    await server.says('ready')
  }
  await publishing
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['stored', 'duplicate']))
  expect([...suffered.keys()].sort()).toEqual([...faults, 'none'].sort())
  expect(client.stats().duplicates).toBeGreaterThan(0)
  await server.end('SIGKILL')
  const ids = await storedIds(folder)
  expect(ids.length).toBe(500)
  expectEachOnce(
    ids,
    results.map(({ id }) => id),
  )
})

// S3-23 G3
test('what a producer was told is buffered arrives exactly once, wherever the producer was killed', async () => {
  const folder = temporaryFolder()
  const buffer = join(folder, 'events.buffer')
  const port = await freePort()
  const told = new Set<string>()
  let from = 0
  for (const kills of [40, 600]) {
    const producer = run('client-producer.ts', `http://127.0.0.1:${port}`, buffer, String(from))
    await until(() => producer.lines.length >= kills)
    await producer.end('SIGKILL')
    for (const line of producer.lines) {
      const [id, status] = line.split(' ') as [string, string]
      expect(status).toBe('buffered')
      told.add(id)
    }
    from += 10_000
  }
  // The server comes, and producers die while they send what the buffer has.
  await using pipeline = await openPipeline({ store: sqlite({ path: join(folder, 'events.db') }) })
  const server = await openServer(pipeline, { host: '127.0.0.1', port, limits })
  onTestFinished(() => server.close(100))
  for (const head of [1, 300]) {
    const producer = run('client-producer.ts', server.url, buffer, String(from))
    await until(() => pipeline.store.head() >= head)
    await producer.end('SIGKILL')
    for (const line of producer.lines) told.add(line.split(' ')[0]!)
    from += 10_000
  }
  const last = createClient({ url: server.url, onUnavailable: 'buffer', buffer: { path: buffer }, retry: quick })
  expect(await last.flush()).toBe(true)
  expect(last.stats()).toMatchObject({ damaged: 0, conflicts: 0, refused: 0 })
  await last.close()
  await server.close()
  await pipeline.stop()
  expect(told.size).toBeGreaterThan(600)
  expectEachOnce(await storedIds(folder), told)
})
