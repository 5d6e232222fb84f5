import { existsSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventSource as EventSourcePackage } from 'eventsource'
import { type Browser, chromium } from 'playwright-core'
import { describe, expect, type TestContext, test, vi } from 'vitest'
import { createFolder, type Folder, patient, type Running } from './cli-process.ts'

const config = `
store: { type: sqlite, path: ./events.db }
server: { host: 127.0.0.1, port: PORT }
subscriptions:
  feed: { match: [order.*], sink: { type: sse } }
`
const stream = '/v1/subscriptions/feed/stream'

interface Server {
  readonly folder: Folder
  readonly url: string
  publish(from: number, count: number): Promise<void>
  kill(): Promise<void>
  start(): Promise<void>
}

/** A server in a process of its own that can be killed and started again. */
async function openServer({ onTestFinished }: TestContext): Promise<Server> {
  const folder = await createFolder(config)
  onTestFinished(() => folder.remove())
  const url = `http://127.0.0.1:${folder.port}`
  let running: Running | undefined
  const start = async (): Promise<void> => {
    running = await folder.start(['run'], 'Ctrl-C stops')
  }
  await start()
  return {
    folder,
    url,
    start,
    async publish(from, count) {
      const events = Array.from({ length: count }, (_, i) => ({
        source: 'shop',
        id: String(from + i),
        type: i % 10 === 9 ? 'stock.low' : 'order.placed',
        data: { text: 'line\nbreak\r\n\u2028', n: from + i },
      }))
      const answer = await fetch(`${url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(events),
      })
      expect(answer.status).toBe(200)
    },
    async kill() {
      running?.child.kill('SIGKILL')
      await running?.ended
    },
  }
}

const wanted = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1).filter((n) => n % 10 !== 0)

/** A site whose pages stand beside the server: `/` is the page, everything else goes on to the server as it is. */
async function openSite({ onTestFinished }: TestContext, port: number): Promise<string> {
  const site = createServer((incoming, outgoing) => {
    if (incoming.url === '/') {
      outgoing.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>feed</title>')
      return
    }
    const { method, url, headers } = incoming
    const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
      answer.on('error', () => outgoing.destroy())
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    onward.end()
  })
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    site.closeAllConnections()
    site.close()
  })
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`
}

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
// In CI a browser that is not there is a failure.
const hasBrowser = existsSync(executablePath) || process.env['CI'] !== undefined

async function openBrowser({ onTestFinished }: TestContext): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']
  const browser = await chromium.launch({ executablePath, args })
  onTestFinished(() => browser.close())
  return browser
}

interface Seen {
  readonly got: number[]
  readonly ids: string[]
  readonly other: string[]
}

// Each waits some seconds for its client to come back, so they wait together.
describe.concurrent('clients of server-sent events', () => {
  // S0-86, G24
  test('the eventsource package misses nothing and sees nothing twice while the server is killed and comes back', async (context) => {
    const server = await openServer(context)
    await server.publish(1, 20)
    const got: number[] = []
    const others: string[] = []
    const source = new EventSourcePackage(`${server.url}${stream}?after=0`)
    context.onTestFinished(() => source.close())
    source.addEventListener('order.placed', ({ data }) => {
      got.push((JSON.parse(String(data)) as { data: { n: number } }).data.n)
    })
    for (const type of ['gap', 'stock.low', 'message']) source.addEventListener(type, () => others.push(type))
    await vi.waitFor(() => expect(got).toHaveLength(18), patient)
    await server.publish(21, 20)
    await server.kill()
    await server.start()
    await server.publish(41, 20)
    await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(54), patient)
    await server.publish(61, 20)
    await vi.waitFor(() => expect(got.length).toBeGreaterThanOrEqual(72), patient)
    expect(got).toEqual(wanted(80))
    expect(others).toEqual([])
  }, 60_000)

  // S0-27, S0-86, G24
  test.skipIf(!hasBrowser)(
    'EventSource in Chromium goes on without gap or double when the server comes back',
    async (context) => {
      const server = await openServer(context)
      const page = await (await openBrowser(context)).newPage()
      await page.goto(await openSite(context, server.folder.port))
      await page.evaluate((url) => {
        const seen: Seen = { got: [], ids: [], other: [] }
        Object.assign(globalThis, { seen })
        const source = new EventSource(url)
        source.addEventListener('order.placed', (each) => {
          const event = each as MessageEvent
          seen.got.push((JSON.parse(String(event.data)) as { data: { n: number } }).data.n)
          seen.ids.push(event.lastEventId)
        })
        for (const type of ['info', 'gap', 'stock.low', 'message'])
          source.addEventListener(type, () => seen.other.push(type))
      }, stream)
      const seen = () => page.evaluate(() => (globalThis as unknown as { seen: Seen }).seen)
      await vi.waitFor(async () => expect((await seen()).other).toEqual(['info']), patient)
      await server.publish(1, 20)
      await vi.waitFor(async () => expect((await seen()).got).toHaveLength(18), patient)
      await server.kill()
      await server.start()
      await server.publish(21, 20)
      await vi.waitFor(async () => expect((await seen()).got.length).toBeGreaterThanOrEqual(36), patient)
      await server.publish(41, 10)
      await vi.waitFor(async () => expect((await seen()).got.length).toBeGreaterThanOrEqual(45), patient)
      const { got, ids, other } = await seen()
      expect(got).toEqual(wanted(50))
      expect(ids.map((id) => Number(id.slice(id.lastIndexOf('-') + 1)))).toEqual(wanted(50))
      expect(other).toEqual(['info', 'info'])
    },
    60_000,
  )

  // SEC-48
  test.skipIf(!hasBrowser)(
    'a page of another origin gets no stream, and Chromium does not ask again',
    async (context) => {
      const server = await openServer(context)
      const page = await (await openBrowser(context)).newPage()
      await page.goto(await openSite(context, server.folder.port))
      const state = await page.evaluate(
        (url) =>
          new Promise<number>((resolve) => {
            const source = new EventSource(url)
            source.onopen = () => resolve(source.readyState)
            source.onerror = () => resolve(source.readyState)
          }),
        `${server.url}${stream}`,
      )
      expect(state).toBe(2)
    },
    60_000,
  )
})
