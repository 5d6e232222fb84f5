import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createPipeline, type Pipeline } from 'millrace'
import { sqlite } from 'millrace/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { run, temporaryFolder, until } from './process.ts'

interface Receiver {
  readonly url: string
  /** webhook-ids by event, one for each request that came. */
  readonly seen: Map<number, string[]>
  /** Requests that were not answered, by event. */
  readonly unanswered: Map<number, ServerResponse>
}

/** Answers what `answerTo` says; 0 is no answer. */
async function openReceiver(answerTo: (n: number) => number): Promise<Receiver> {
  const seen = new Map<number, string[]>()
  const unanswered = new Map<number, ServerResponse>()
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { id: string }
    const n = Number(body.id)
    seen.set(n, [...(seen.get(n) ?? []), String(request.headers['webhook-id'])])
    const status = answerTo(n)
    if (status === 0) unanswered.set(n, response)
    else response.writeHead(status).end()
  }
  const server = createServer((request, response) => void receive(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, seen, unanswered }
}

/** Looks at the file beside the process that owns it. */
async function look<T>(folder: string, ask: (pipeline: Pipeline) => Promise<T>): Promise<T> {
  const pipeline = createPipeline({ store: sqlite({ path: join(folder, 'events.db'), readOnly: true }) })
  await pipeline.open()
  try {
    return await ask(pipeline)
  } finally {
    await pipeline.stop()
  }
}

async function waitingRows(folder: string): Promise<{ sequence: number; dueAt: number; attempt: number }[]> {
  const rows = await look(folder, ({ store }) => store.rows('hooks', { limit: 100 }))
  return rows.map(({ sequence, dueAt, attempt }) => ({ sequence, dueAt, attempt }))
}

const failing = [3, 8, 13, 18]
const answered = range(0, 20)
const held = range(20, 60)

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test('kill -9 while webhooks are unanswered or just answered: each comes again under its webhook-id, and waiting retries keep their times', async () => {
  // K8 K9 G15 G14
  const folder = temporaryFolder()
  let isHolding = true
  const { url, seen, unanswered } = await openReceiver((n) => {
    if (failing.includes(n)) return 503
    return isHolding && held.includes(n) ? 0 : 204
  })

  const first = run('./webhook-sender.ts', folder, url)
  await first.says('published')
  // Two failed attempts each: what waits now waits for an hour.
  const isHourly = (dueAt: number): boolean => dueAt > Date.now() + 600_000
  await until(() => unanswered.size === held.length && failing.every((n) => seen.get(n)?.length === 2))
  await until(async () => (await waitingRows(folder)).filter(({ dueAt }) => isHourly(dueAt)).length === failing.length)
  const before = await waitingRows(folder)
  // Half of the answers are on their way when the process dies: it has no time to record them.
  for (const n of range(20, 40)) unanswered.get(n)!.writeHead(204).end()
  expect(await first.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' })

  unanswered.clear()
  const second = run('./webhook-sender.ts', folder, url)
  await until(() => range(40, 60).every((n) => unanswered.has(n)))
  await second.end('SIGKILL')

  isHolding = false
  const third = run('./webhook-sender.ts', folder, url)
  await until(() => range(40, 60).every((n) => seen.get(n)!.length >= 3))
  await until(async () => (await look(folder, (pipeline) => pipeline.subscription('hooks'))).open === failing.length)
  expect((await third.end('SIGTERM')).code).toBe(0)

  expect([...seen.keys()].sort((a, b) => a - b)).toEqual([...answered, ...held])
  const changed = [...seen].filter(([, ids]) => new Set(ids).size !== 1)
  expect(changed).toEqual([])
  expect(new Set([...seen.values()].flat()).size).toBe(60)
  expect(failing.map((n) => seen.get(n)!.length)).toEqual([2, 2, 2, 2])
  expect(before).toMatchObject(failing.map((n) => ({ sequence: n + 1, attempt: 2 })))
  expect(await waitingRows(folder)).toEqual(before)

  const report = await look(folder, (pipeline) => pipeline.audit())
  expect(report).toMatchObject({ ok: true, subscriptions: [{ books: { delivered: 56, open: 4, dead: 0 } }] })
})
