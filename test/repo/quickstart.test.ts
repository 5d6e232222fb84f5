import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { root, textOf } from './files.ts'

let folder = ''
let child: ChildProcess | undefined
beforeEach(() => {
  mkdirSync(join(root, '.millrace'), { recursive: true })
  folder = mkdtempSync(join(root, '.millrace', 'quickstart-'))
  for (const file of ['millrace.yaml', 'receiver.ts'])
    cpSync(join(root, 'examples/quickstart', file), join(folder, 'examples/quickstart', file))
})
afterEach(() => {
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The event that the quickstart's README publishes. */
function readmeEvent(): string {
  const body = /-d '(\{.*\})'/.exec(textOf('examples/quickstart/README.md'))
  return body![1]!
}

test('the quickstart does what its README says', { timeout: 60_000 }, async () => {
  const [port, receiverPort] = [await freePort(), await freePort()]
  let out = ''
  const args = [
    '--conditions=millrace-source',
    join(root, 'bin/millrace.js'),
    'run',
    join(folder, 'examples/quickstart/millrace.yaml'),
  ]
  const env = { ...process.env, PORT: String(port), RECEIVER_PORT: String(receiverPort), NO_COLOR: '1' }
  const running = spawn(process.execPath, args, { cwd: root, env })
  child = running
  running.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  running.stderr.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const patient = { timeout: 20_000, interval: 20 }
  await vi.waitFor(() => expect(out).toContain(`http://127.0.0.1:${port}`), patient)
  expect(out).toContain('curl')

  const publish = () =>
    fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: readmeEvent(),
    })
  const first = await publish()
  expect(first.status).toBe(201)
  expect(await first.json()).toMatchObject({
    id: '1',
    source: 'api',
    status: 'stored',
    sequence: 1,
    durability: 'disk',
  })
  const again = await publish()
  expect(again.status).toBe(200)
  expect(await again.json()).toMatchObject({ status: 'duplicate', sequence: 1 })
  await vi.waitFor(() => expect(out).toMatch(/receiver: order\.placed 1 as msg_\S+ \{"total":120\}/), patient)

  const line = /^echo '(.*)' >/m.exec(textOf('examples/quickstart/README.md'))![1]!
  mkdirSync(join(folder, 'examples/quickstart/inbox'), { recursive: true })
  writeFileSync(join(folder, 'examples/quickstart/inbox', 'two.ndjson'), `${line}\n`)
  await vi.waitFor(() => expect(out).toMatch(/receiver: order\.shipped 2 as msg_/), patient)
  const archive = join(folder, '.millrace/orders.ndjson')
  await vi.waitFor(
    () => expect(existsSync(archive) ? readFileSync(archive, 'utf8').trim().split('\n').length : 0).toBe(2),
    patient,
  )
  expect(out.match(/receiver: order\.placed 1/g)).toHaveLength(1)

  const ended = new Promise((resolve) => running.once('exit', resolve))
  running.kill('SIGINT')
  expect(await ended).toBe(0)
})
