import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { openTestServer } from '../../src/server/server.test-support.ts'
import { sse } from '../../src/sinks/sse.ts'

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
// In CI a browser that is not there is a failure.
const hasBrowser = existsSync(executablePath) || process.env['CI'] !== undefined

/** A site of its own with an empty page; its origin. */
async function openSite(): Promise<string> {
  const server = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<!doctype html>'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

// SEC-48
test.skipIf(!hasBrowser)(
  'in Chromium, pages of a configured origin publish, read and follow a stream, and others do nothing of it',
  async () => {
    const [own, other] = [await openSite(), await openSite()]
    const { server, pipeline } = await openTestServer({ subscriptions: { feed: { sink: sse() } } }, { origins: [own] })
    const browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    })
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    const attempt = () =>
      page.evaluate(async (url) => {
        const failed = (error: unknown): string => (error as Error).name
        // The type of the body makes the browser ask first.
        const publish = () =>
          fetch(`${url}/v1/events`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: '{"source":"page","id":"1","type":"page.opened"}',
          }).then((answer) => answer.text(), failed)
        const read = () => fetch(`${url}/v1/events`).then((answer) => answer.text(), failed)
        const follow = () =>
          new Promise<string>((resolve) => {
            const source = new EventSource(`${url}/v1/subscriptions/feed/stream?after=0`)
            source.addEventListener('page.opened', (event) => {
              source.close()
              resolve(String((event as MessageEvent).data))
            })
            source.onerror = () => resolve(`state ${source.readyState}`)
          })
        return [await publish(), await read(), await follow()]
      }, server.url)

    await page.goto(other)
    expect(await attempt()).toEqual(['TypeError', 'TypeError', 'state 2'])
    expect(pipeline.store.head()).toBe(0)
    await page.goto(own)
    const [published, events, followed] = await attempt()
    expect(published).toContain('"status":"stored"')
    expect(events).toContain('"type":"page.opened"')
    expect(followed).toContain('"type":"page.opened"')
  },
  60_000,
)
