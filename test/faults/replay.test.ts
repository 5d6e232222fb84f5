import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createPipeline } from 'millrace'
import { webhook } from 'millrace/sinks/webhook'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { type Running, run, temporaryFolder, until } from './process.ts'

interface Got {
  readonly id: string
  readonly webhookId: string
  readonly replay: string | undefined
}

/** A receiver that takes its time. */
async function openReceiver(): Promise<{ readonly url: string; readonly got: Got[] }> {
  const got: Got[] = []
  const server = createServer((request, response) => {
    request.toArray().then(
      (parts) => {
        const body = JSON.parse(Buffer.concat(parts).toString()) as { id: string; replayid?: string }
        got.push({ id: body.id, webhookId: String(request.headers['webhook-id']), replay: body.replayid })
        setTimeout(() => response.writeHead(204).end(), 3)
      },
      () => response.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, got }
}

const kills = 4

test('kill -9 at any moment of a replay: it goes on where it was, every event comes again under one id, and the books balance', async () => {
  // K9 G13 G14 G15 G17
  const folder = temporaryFolder()
  const { url, got } = await openReceiver()
  const replayed = (): Set<string> => new Set(got.filter(({ replay }) => replay !== undefined).map(({ id }) => id))
  const published = new Set<string>()
  let running: Running | undefined
  const start = async (): Promise<Running> => {
    const next = run('./replayer.ts', folder, url, String(published.size))
    running = next
    await next.says('replaying')
    return next
  }
  const note = (): void => {
    for (const line of running!.lines) if (line.startsWith('live ')) published.add(line.slice(5))
  }
  for (let round = 0; round < kills; round++) {
    const now = await start()
    // After so many more, and by then some are under way.
    const before = replayed().size
    await until(() => replayed().size >= Math.min(399, before + 30 + round * 10))
    await now.end('SIGKILL')
    note()
    expect(replayed().size).toBeLessThan(400)
  }
  const last = await start()
  await last.says('stopped')
  note()

  const again = got.filter(({ replay }) => replay !== undefined)
  expect(new Set(again.map(({ replay }) => replay)).size).toBe(1)
  expect(replayed().size).toBe(400)
  const ids = new Map<string, Set<string>>()
  for (const { id, webhookId, replay } of got) {
    const key = `${replay ?? 'live'} ${id}`
    ids.set(key, (ids.get(key) ?? new Set()).add(webhookId))
  }
  expect([...ids.values()].filter(({ size }) => size !== 1)).toEqual([])
  // Repeated are only those that were under way when the process died: half of the places, and the answers not recorded yet.
  expect(again.length - 400).toBeLessThan(kills * 60)
  const live = new Set(got.filter(({ replay }) => replay === undefined).map(({ id }) => id))
  expect([...published].filter((n) => !live.has(`live-${n}`))).toEqual([])

  const pipeline = createPipeline({
    store: sqlite({ path: join(folder, 'events.db') }),
    subscriptions: { hooks: { sink: webhook({ url }) } },
  })
  await pipeline.open()
  onTestFinished(() => pipeline.stop())
  expect(await pipeline.audit()).toMatchObject({ ok: true })
  expect(await pipeline.replays('hooks')).toMatchObject([
    { state: 'done', total: 400, counts: { examined: 400, matched: 400, delivered: 400, dead: 0, lost: 0, open: 0 } },
  ])
}, 60_000)
