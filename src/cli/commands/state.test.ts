import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { tokenHash } from '../../server/index.ts'
import { createMemoryIo, type MemoryIo } from '../io.ts'
import { main } from '../main.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const index = pathToFileURL(join(import.meta.dirname, '../../index.ts')).href
const sqlite = pathToFileURL(join(import.meta.dirname, '../../stores/sqlite.ts')).href

/** A folder with a projection, and commands that run there. */
async function place(server: object = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  onTestFinished(() => rmSync(cwd, { recursive: true, force: true }))
  const port = await freePort()
  const configure = (version: number) =>
    writeFileSync(
      join(cwd, `v${version}.ts`),
      `import { projection } from '${index}'
import { sqlite } from '${sqlite}'
const balances = projection('balances', {
  match: ['paid'],
  initial: { balance: 0 },
  fold: ({ balance }, event: never) => ({ balance: balance + ${version} * event.data.amount }),
  version: ${version},
})
export default { store: sqlite({ path: './events.db' }), server: { port: ${port}, ...${JSON.stringify(server)} }, subscriptions: { balances, plain: {} } }
`,
      { mode: 0o600 },
    )
  configure(1)
  const env: Record<string, string> = {}
  const millrace = async (...argv: readonly string[]): Promise<MemoryIo> => {
    const io = createMemoryIo({ cwd, env })
    await main([...argv, ...(argv.includes('--config') ? [] : ['--config', 'v1.ts'])], io)
    return io
  }
  /** Runs the pipeline until the answer is called. */
  const run = async (config = 'v1.ts'): Promise<() => Promise<void>> => {
    const running = createMemoryIo({ cwd, env: {} })
    const ended = main(['run', config], running)
    const isReady = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    while (!(await isReady())) await new Promise((resolve) => setTimeout(resolve, 5))
    return async () => {
      running.abort()
      await ended
    }
  }
  const pay = async (id: string, subject: string, amount: number): Promise<void> => {
    const body = JSON.stringify({ source: 's', id, type: 'paid', subject, data: { amount } })
    const headers = { 'content-type': 'application/json' }
    const { status } = await fetch(`http://127.0.0.1:${port}/v1/events`, { method: 'POST', headers, body })
    expect(status).toBe(201)
  }
  return { millrace, env, run, pay, configure }
}

// S3-14
test('shows what stages keep, from a running server and from a store at rest', async () => {
  const { millrace, run, pay } = await place()
  let stop = await run()
  for (const [n, subject] of ['anna', 'bert', 'bo/b', 'über'].entries()) await pay(String(n), subject, n + 1)
  while ((await millrace('state', 'balances', 'projection', '--json')).stdout.split('\n').length < 5)
    await new Promise((resolve) => setTimeout(resolve, 5))
  const look = async () => {
    expect((await millrace('state', 'balances')).stdout).toMatch(/stage +version\nprojection +1 of paid\n/)
    expect((await millrace('state', 'balances', '--json')).stdout).toBe(
      '{"stages":["projection"],"foldVersion":"1 of paid"}\n',
    )
    const all = await millrace('state', 'balances', 'projection', '--limit', '2')
    expect(all.stdout).toBe('key   value\nanna  {"balance":1}\nbert  {"balance":2}\n')
    expect(all.stderr).toContain('--after "bert"')
    expect((await millrace('state', 'balances', 'projection', '--prefix', 'b', '--json')).stdout).toBe(
      '{"key":"bert","value":{"balance":2}}\n{"key":"bo/b","value":{"balance":3}}\n',
    )
    expect((await millrace('state', 'balances', 'projection', 'bo/b')).stdout).toBe('{\n  "balance": 3\n}\n')
    const unknown = await millrace('state', 'balances', 'projection', 'ann')
    expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringContaining('keeps nothing under "ann"')])
    expect((await millrace('state', 'balances', 'other')).stderr).toContain('there are: projection')
    expect((await millrace('state', 'plain')).stderr).toContain('no stage of plain keeps anything')
    expect((await millrace('state', 'none')).exitCode).toBe(1)
  }
  await look()
  await stop()
  await look()
  stop = await run()
  await stop()
})

// S3-14
test('rebuilds with progress to its end, in a running server or when the pipeline runs next', async () => {
  const { millrace, run, pay, configure } = await place()
  let stop = await run()
  for (const n of [1, 2, 3]) await pay(String(n), 'anna', n)
  const done = await millrace('rebuild', 'balances')
  expect([done.exitCode, done.stdout]).toEqual([
    0,
    'Rebuild of balances, version 1 of paid, is done at event 3 of 3. 3 events folded.\n',
  ])
  expect((await millrace('rebuild', 'balances', '--status', '--json')).stdout).toMatch(/"state":"done"/)
  expect((await millrace('rebuild', 'plain')).stderr).toMatch(/does not follow from the log alone/)
  expect((await millrace('rebuild', 'balances', '--cancel')).exitCode).toBe(1)
  expect((await millrace('rebuild', 'balances', '--cancel', '--finish')).exitCode).toBe(2)
  await stop()

  const begun = await millrace('rebuild', 'balances')
  expect(begun.stdout).toContain('is building at event 0 of 3')
  expect(begun.stderr).toContain('it begins when the pipeline does')
  expect((await millrace('rebuild', 'balances', '--cancel')).stdout).toContain('is cancelled')

  configure(2)
  stop = await run('v2.ts')
  const anna = async () => (await millrace('state', 'balances', 'projection', 'anna', '--config', 'v2.ts')).stdout
  while (!(await anna()).includes('12')) await new Promise((resolve) => setTimeout(resolve, 5))
  await stop()
})

// SEC-53
test('with a mask, state is for a token that is shown all, which the environment may give', async () => {
  const token = { name: 'ops', hash: tokenHash('ops-token-0123456789abcdef'), scopes: ['read'], payload: 'full' }
  const { millrace, env, run } = await place({ mask: ['data.card'], tokens: [token] })
  const end = await run()
  await millrace(
    'publish',
    '--source',
    's',
    '--id',
    '1',
    '--type',
    'paid',
    '--subject',
    'anna',
    '--data',
    '{"amount":5}',
  )
  const look = async () => {
    delete env['MILLRACE_TOKEN']
    const refused = await millrace('state', 'balances', 'projection')
    expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringContaining('use a token with payload: full')])
    env['MILLRACE_TOKEN'] = 'ops-token-0123456789abcdef'
    expect((await millrace('state', 'balances', 'projection')).exitCode).toBe(0)
    env['MILLRACE_TOKEN'] = 'another'
    expect((await millrace('state', 'balances', 'projection')).stderr).toMatch(/^error unauthorized/)
  }
  await look()
  await end()
  await look()
})
