import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { freePort, patient } from '../e2e/cli-process.ts'
import { type Application, openApplication, type Running } from './application.ts'
import { root } from './packed.ts'

// examples/next in an application of Next, built and started as in production.

const env = { NEXT_TELEMETRY_DISABLED: '1' }
const next = 'node_modules/next/dist/bin/next'
let app: Application
let api: string
let server: Running

beforeAll(async () => {
  app = await openApplication(['next', 'react', 'react-dom', 'typescript', '@types/node', '@types/react'])
  for (const name of ['app', 'events-route.ts', 'pipeline.ts', 'next.config.mjs'])
    cpSync(join(root, 'examples/next', name), join(app.path, name), { recursive: true })
  // Next writes the rest of it.
  writeFileSync(join(app.path, 'tsconfig.json'), '{ "compilerOptions": { "allowImportingTsExtensions": true } }')
  mkdirSync(join(app.path, 'app/shop'))
  writeFileSync(
    join(app.path, 'app/layout.js'),
    'export default function Layout({ children }) {\n  return <html lang="en"><body>{children}</body></html>\n}\n',
  )
  writeFileSync(join(app.path, 'app/shop/page.js'), 'export default function Page() {\n  return <h1>Our shop</h1>\n}\n')
  const build = app.start([next, 'build'], env)
  expect(await build.ended, build.text()).toBe(0)
  expect(build.text()).toContain('/events-api/[...path]')
  await start()
})
afterAll(() => app?.close())

async function start(): Promise<void> {
  const port = await freePort()
  api = `http://127.0.0.1:${port}/events-api`
  server = app.start([next, 'start', '-H', '127.0.0.1', '-p', String(port)], env)
  await vi.waitFor(() => expect(server.text()).toContain('Ready in'), patient)
}

async function publish(id: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(`${api}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ source: 'shop', id, type: 'order.placed', data: { total: 120 } }),
  })
  return { status: answer.status, body: await answer.json() }
}

/** Reads the stream of the subscription `feed` until the test ends. */
async function follow(headers: Record<string, string> = {}): Promise<() => string> {
  const stopping = new AbortController()
  onTestFinished(() => stopping.abort())
  const answer = await fetch(`${api}/v1/subscriptions/feed/stream`, { headers, signal: stopping.signal })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  let text = ''
  const read = async (): Promise<void> => {
    for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) text += part
  }
  // A stream that is cut off has said what it said.
  read().catch(() => undefined)
  await vi.waitFor(() => expect(text).toContain('data: connected'), patient)
  return () => text
}

test('the pages of the application are as before', async () => {
  const page = await fetch(api.replace('/events-api', '/shop'))
  expect(await page.text()).toContain('Our shop')
})

test('an event that is posted is on disk, is stored once and can be read', async () => {
  const stored = await publish('stored')
  expect(stored).toMatchObject({ status: 201, body: { id: 'stored', status: 'stored', durability: 'disk' } })
  const { sequence } = stored.body as { sequence: number }
  expect(await publish('stored')).toMatchObject({ status: 200, body: { status: 'duplicate', sequence } })
  const answer = await fetch(`${api}/v1/events/${sequence}`)
  expect(await answer.json()).toMatchObject({ source: 'shop', id: 'stored', data: { total: 120 } })
})

test('an event is streamed as it is published', async () => {
  const feed = await follow()
  await publish('streamed')
  await vi.waitFor(() => expect(feed()).toMatch(/^event: order\.placed\ndata: .*"id":"streamed"/m), patient)
})

test('after kill -9 an event is known again, and a stream goes on where it was', async () => {
  const before = await follow()
  expect(await publish('before')).toMatchObject({ status: 201 })
  await vi.waitFor(() => expect(before()).toMatch(/"id":"before".*\n\n/), patient)
  const place = /^id: (.*)\nevent: order\.placed\ndata: .*"id":"before"/m.exec(before())![1]!

  server.child.kill('SIGKILL')
  await server.ended
  await start()
  expect(await publish('before')).toMatchObject({ status: 200, body: { status: 'duplicate' } })
  expect(await publish('after')).toMatchObject({ status: 201 })
  const after = await follow({ 'last-event-id': place })
  await vi.waitFor(() => expect(after()).toContain('"id":"after"'), patient)
  expect(after()).not.toContain('"id":"before"')
})

test('the server ends when it is told to, although somebody reads a stream', async () => {
  await follow()
  server.child.kill('SIGTERM')
  await vi.waitFor(() => expect(server.child.exitCode ?? server.child.signalCode).not.toBeNull(), patient)
})
