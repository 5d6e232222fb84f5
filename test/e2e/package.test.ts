import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { manifest, packBelow, root, userEnvironment } from '../elsewhere/packed.ts'
import { freePort, patient } from './cli-process.ts'

// The packed package, unpacked beside its dependencies.

const { dependencies, exports } = manifest
let folder: string
let app: string
let installed: string
const children: ChildProcess[] = []

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-package-')))
  const archive = packBelow(folder)
  app = join(folder, 'app')
  installed = join(app, 'node_modules/millrace')
  mkdirSync(installed, { recursive: true })
  execFileSync('tar', ['-xzf', archive, '-C', installed, '--strip-components=1'])
  for (const name of Object.keys(dependencies)) {
    const place = join(app, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), place)
  }
  writeFileSync(join(app, 'package.json'), '{ "type": "module" }')
}, 120_000)

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

function start(...argv: readonly string[]): { readonly child: ChildProcess; text(): string } {
  const child = spawn(process.execPath, [join(installed, 'bin/millrace.js'), ...argv], {
    cwd: app,
    env: userEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part))
  return { child, text: () => text }
}

async function finished(...argv: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const { child, text } = start(...argv)
  const code = await new Promise<number>((done) => child.once('close', done))
  return { code, text: text() }
}

async function runs(): Promise<ChildProcess> {
  const { child, text } = start('run')
  await vi.waitFor(() => expect(text()).toContain('Ctrl-C stops.'), patient)
  return child
}

const publish = (from: number, to: number) =>
  finished('publish', writeEvents(Array.from({ length: to - from + 1 }, (_, index) => from + index)))

function writeEvents(ids: readonly number[]): string {
  const events = ids.map((id) => JSON.stringify({ source: 'shop', id: String(id), type: 'order.placed', data: { id } }))
  writeFileSync(join(app, 'events.ndjson'), events.join('\n'))
  return 'events.ndjson'
}

const deliveredIds = (): Set<number> => {
  const path = join(app, 'orders.ndjson')
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  return new Set(
    lines.filter((line) => line !== '').map((line) => (JSON.parse(line) as { data: { id: number } }).data.id),
  )
}

test('the package holds what its exports name, and no source or test', () => {
  const files = readdirSync(installed, { recursive: true }).map(String)
  for (const target of Object.values(exports)) {
    if (typeof target === 'string') continue
    for (const path of [target['types']!, target['default']!]) {
      const [before, after] = path.slice(2).split('*') as [string, string?]
      const found = files.filter((file) => file.startsWith(before) && file.endsWith(after ?? before))
      expect(found, path).not.toEqual([])
    }
  }
  expect(files.filter((file) => /\.test\.|test-support|^src/.test(file))).toEqual([])
})

test('a pipeline runs from the compiled package, survives kill -9 and goes on', { timeout: 60_000 }, async () => {
  // S0-17 G1
  writeFileSync(join(app, 'stage.ts'), 'export default () => ({ outcome: "ack" as const, context: { seen: true } })\n')
  writeFileSync(
    join(app, 'millrace.yaml'),
    `store: { type: sqlite, path: events.db }
server: { port: ${await freePort()} }
subscriptions:
  orders: { stages: [{ use: ./stage.ts, name: look }, { use: ./stage.ts, name: apart, isolate: true }], sink: { type: file, path: orders.ndjson } }
`,
    { mode: 0o600 },
  )
  expect(await finished('check')).toMatchObject({ code: 0 })
  const first = await runs()
  expect(await publish(1, 500)).toMatchObject({ code: 0 })
  first.kill('SIGKILL')
  const second = await runs()
  expect(await publish(400, 600)).toMatchObject({ code: 0 })
  await vi.waitFor(() => expect(deliveredIds().size).toBe(600), patient)
  expect(await finished('audit')).toMatchObject({ code: 0 })
  const ended = new Promise<number | null>((done) => second.once('close', done))
  second.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(await finished('verify')).toMatchObject({ code: 0, text: expect.stringContaining('600') })
})

test('an application imports the library by its name', () => {
  const program = `
    import { openPipeline, stage } from 'millrace'
    import { memory } from 'millrace/stores/memory'
    import { sqlite } from 'millrace/stores/sqlite'
    import { webhook } from 'millrace/sinks/webhook'
    import { http } from 'millrace/sources/http'
    import { defineSink } from 'millrace/plugin'
    import { recordingSink } from 'millrace/testing'
    import { openServer } from 'millrace/server'
    const sink = recordingSink()
    await using pipeline = await openPipeline({ store: sqlite({ path: 'library.db' }), subscriptions: { all: { sink } } })
    await pipeline.publish({ source: 'shop', id: '1', type: 'order.placed', data: {} })
    await pipeline.idle()
    console.log(JSON.stringify([sink.sequences, typeof memory, typeof webhook, typeof http, typeof defineSink, typeof openServer, typeof stage]))
  `
  writeFileSync(join(app, 'program.mjs'), program)
  const out = execFileSync(process.execPath, ['program.mjs'], { cwd: app, env: userEnvironment(), encoding: 'utf8' })
  expect(JSON.parse(out)).toEqual([[1], ...Array.from({ length: 6 }, () => 'function')])
})
