import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join, normalize } from 'node:path'
import { promisify } from 'node:util'
import { openPipeline, type Pipeline } from 'millrace'
import { createHandler, toNodeListener } from 'millrace/server'
import { memory } from 'millrace/stores/memory'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { root } from '../repo/files.ts'
import { freePort } from './cli-process.ts'

// The client as it is published, where the rest of the package need not run: an older Node, and a browser.

let dist = ''
beforeAll(() => {
  dist = mkdtempSync(join(tmpdir(), 'millrace-client-dist-'))
  const args = ['-p', join(root, 'tsconfig.build.json'), '--noCheck', '--outDir', dist]
  execFileSync(join(root, 'node_modules/.bin/tsc'), args)
  writeFileSync(join(dist, 'package.json'), '{ "type": "module" }')
}, 60_000)
afterAll(() => rmSync(dist, { recursive: true, force: true }))

/** A site with the compiled files under `/dist` and the API under `/events-api`. */
async function openSite(): Promise<{ readonly pipeline: Pipeline; readonly url: string }> {
  const pipeline = await openPipeline({ store: memory() })
  const api = toNodeListener(createHandler(pipeline, { basePath: '/events-api' }))
  const server = createServer((message, response) => {
    const path = message.url ?? '/'
    if (path.startsWith('/events-api')) api(message, response)
    else if (path === '/')
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>x</title>')
    else if (path.startsWith('/dist/') && existsSync(join(dist, normalize(path.slice(6))))) {
      response.writeHead(200, { 'content-type': 'text/javascript' })
      response.end(readFileSync(join(dist, normalize(path.slice(6)))))
    } else response.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await pipeline.stop()
  })
  return { pipeline, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** A Node of this machine that is older than ours, but has what the client needs. */
function olderNode(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'))
  return folders
    .map((folder) => join(folder, 'node'))
    .find((path) => {
      if (!existsSync(path)) return false
      const [major = 0, minor = 0] = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8', env: {} })
        .split('.')
        .map(Number)
      return major < 24 && (major > 20 || (major === 20 && minor >= 16))
    })
}

const old = olderNode()

// S3-23
test.skipIf(old === undefined)('runs in Node 20, with its buffer (skipped where there is no older Node)', async () => {
  const { pipeline, url } = await openSite()
  const folder = join(dist, 'work')
  mkdirSync(folder)
  const program = `
    import { createClient } from '${join(dist, 'client/index.js')}'
    const buffer = { path: '${join(folder, 'events.buffer')}' }
    const away = createClient({ url: 'http://127.0.0.1:${await freePort()}', source: 'old', onUnavailable: 'buffer', buffer })
    const { status } = await away.publish({ type: 'a.b', id: '1', data: { n: 1 } })
    await away.close()
    const client = createClient({ url: '${url}/events-api', source: 'old', onUnavailable: 'buffer', buffer })
    const isEmpty = await client.flush()
    const second = await client.publish({ type: 'a.b', id: '2' })
    await client.close()
    console.log(JSON.stringify([process.versions.node.split('.')[0], status, isEmpty, second.status, client.stats().stored]))
  `
  writeFileSync(join(folder, 'program.mjs'), program)
  const { stdout } = await promisify(execFile)(old!, [join(folder, 'program.mjs')], { env: {} })
  expect(JSON.parse(stdout)).toEqual([expect.stringMatching(/^2[0-3]$/), 'buffered', true, 'stored', 2])
  expect(pipeline.store.head()).toBe(2)
})

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

// In CI a browser that is not there is a failure.
const hasBrowser = existsSync(executablePath) || process.env['CI'] !== undefined

test.skipIf(!hasBrowser)(
  'runs in a browser, and says what is not possible there (skipped where there is no Chromium)',
  { timeout: 60_000 },
  async () => {
    const { pipeline, url } = await openSite()
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    await page.goto(url)
    // As text: the tests' own loader would rewrite the import.
    const results: unknown = await page.evaluate(`(async (at) => {
      const { createClient } = await import(at + '/dist/client/index.js')
      const client = createClient({ url: at + '/events-api', source: 'page' })
      const many = await Promise.all([1, 2, 3].map((n) => client.publish({ type: 'page.seen', data: { n } })))
      const buffered = createClient({ url: at, onUnavailable: 'buffer', buffer: { path: 'x' } })
      const refusal = await buffered.publish({ type: 'a.b', source: 'page' }).catch(String)
      await client.close()
      return [...many.map(({ status }) => status), refusal]
    })('${url}')`)
    expect(results).toEqual(['stored', 'stored', 'stored', expect.stringContaining('it needs Node 20.16')])
    expect(problems).toEqual([])
    expect(pipeline.store.head()).toBe(3)
  },
)
