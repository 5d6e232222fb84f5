import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseEgressRule } from '../../src/plugin/egress-rule.ts'
import type { Source, SourceDeclaration } from '../../src/plugin/index.ts'
import { nodePlatform } from '../../src/plugin/platform.ts'
import { builtIn } from '../../src/registry.ts'
import { command } from '../../src/sources/command.ts'
import { cron } from '../../src/sources/cron.ts'
import { directory } from '../../src/sources/directory.ts'
import { generate } from '../../src/sources/generate.ts'
import { http } from '../../src/sources/http.ts'
import { poll } from '../../src/sources/poll.ts'
import { openStreamServer } from '../../src/sources/sse/stream-server.test-support.ts'
import { sse } from '../../src/sources/sse.ts'
import { stdinFrom } from '../../src/sources/stdin.ts'
import { tail } from '../../src/sources/tail.ts'
import { watch } from '../../src/sources/watch.ts'
import { webhook } from '../../src/sources/webhook.ts'
import { type SourceUnderTest, scriptedSource, sourceCases, whySourceSkipped } from '../../src/testing/index.ts'
import { createSkips } from './skips.ts'

const sourceOf = (declaration: SourceDeclaration, options: unknown): Source =>
  declaration.create(declaration.options.parse(options), { directory: '.', platform: nodePlatform })

const loopback = parseEgressRule('127.0.0.0/8')
const egressToLoopback = { allow: loopback.ok ? [loopback.rule] : [] }

function directoryUnderTest(): SourceUnderTest {
  const path = mkdtempSync(join(tmpdir(), 'millrace-source-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'a.ndjson'), '{"n":1}\n{"n":2}\n')
  writeFileSync(join(path, 'b.json'), '{"n":3}')
  writeFileSync(join(path, 'c.txt'), 'text')
  return { create: () => sourceOf(directory.declaration, { path, settle: '0ms', every: '50ms' }), events: 4 }
}

function tailUnderTest(): SourceUnderTest {
  const path = mkdtempSync(join(tmpdir(), 'millrace-source-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'a.log'), 'one\ntwo\n')
  writeFileSync(join(path, 'b.log'), 'three\nfou')
  return { create: () => sourceOf(tail.declaration, { path: join(path, '*.log'), every: '20ms' }), events: 3 }
}

function watchUnderTest(): SourceUnderTest {
  const path = mkdtempSync(join(tmpdir(), 'millrace-source-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  mkdirSync(join(path, 'folder'))
  for (const name of ['a', 'b', 'folder/c']) writeFileSync(join(path, name), name)
  return { create: () => sourceOf(watch.declaration, { path, settle: '10ms', initial: true }), events: 4 }
}

/** A server whose stream has three events and goes on after the one that the reader had. */
function sseUnderTest(): SourceUnderTest {
  const server = openStreamServer((request) => {
    request.begin()
    for (let id = Number(request.lastId ?? 0) + 1; id <= 3; id++) request.write(`id: ${id}\ndata: {"n":${id}}\n\n`)
  })
  const context = { directory: '.', platform: nodePlatform, egress: egressToLoopback }
  const create = async () => sse.declaration.create(sse.declaration.options.parse({ url: (await server).url }), context)
  return { create, events: 3 }
}

/** A schedule by a clock that begins at the same moment for each reader and moves with its sleep. */
function cronUnderTest(): SourceUnderTest {
  return {
    create() {
      const source = sourceOf(cron.declaration, { schedule: '* * * * *' })
      return {
        read(cursor, context) {
          let now = Date.parse(cursor ?? '2026-01-01T00:00:00Z')
          const sleep = (ms: number) => {
            now += ms
            return context.sleep(ms)
          }
          return source.read(cursor, { ...context, clock: { now: () => now, monotonic: () => now }, sleep })
        },
      }
    },
    events: 3,
  }
}

/** An API with three pages of two rows, each named by a token. */
function pollUnderTest(): SourceUnderTest {
  const server = createServer(({ url = '/' }, response) => {
    const page = Number(new URL(url, 'http://api').searchParams.get('page') ?? 1)
    const rows = [{ id: `${page}a` }, { id: `${page}b` }]
    response.end(JSON.stringify({ rows, next: page < 3 ? page + 1 : null }))
  })
  const listening = new Promise<string>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`))
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const options = { every: '10ms', items: '$.rows', id: '$.id', next: '$.next', pageParam: 'page' }
  const context = { directory: '.', platform: nodePlatform, egress: egressToLoopback }
  const { declaration } = poll
  return {
    create: async () => declaration.create(declaration.options.parse({ url: await listening, ...options }), context),
    events: 6,
  }
}

const sources: Readonly<Record<string, () => SourceUnderTest>> = {
  cron: cronUnderTest,
  command: () => ({
    create: () => {
      const first = `[ "$MILLRACE_CURSOR" = 1 ] || { printf '{"n":1,"at":"1"}\\n'; sleep 0.05; }`
      const script = `${first}; printf '{"n":2,"at":"2"}\\n'; sleep 1000`
      return sourceOf(command.declaration, { command: ['sh', '-c', script], cursor: 'at' })
    },
    events: 2,
  }),
  directory: directoryUnderTest,
  generate: () => ({
    create: () => sourceOf(generate.declaration, { every: '5ms', ids: 'sequence', data: { fixed: true } }),
    events: 3,
  }),
  http: () => ({ create: () => sourceOf(http.declaration, {}), events: 0 }),
  poll: pollUnderTest,
  stdin: () => ({
    create: () => sourceOf(stdinFrom(() => Readable.from(['{"n":1}\n{"n"', ':2}\n'])).declaration, {}),
    events: 2,
    hasPlace: false,
  }),
  sse: sseUnderTest,
  tail: tailUnderTest,
  watch: watchUnderTest,
  webhook: () => ({
    create: () => sourceOf(webhook.declaration, { scheme: 'bearer', secret: 'a-secret-of-tests' }),
    events: 0,
  }),
  // The fake of the testing kit keeps the same promises.
  scripted: () => ({
    create: () =>
      sourceOf(
        scriptedSource({ batches: ['a', 'b'].map((id) => ({ events: [{ id, type: 'order.placed' }] })) }).declaration,
        {},
      ),
    events: 2,
  }),
}

const skips = createSkips()

test('every registered source is run through the suite', () => {
  const registered = builtIn.map(({ declaration }) => declaration).filter(({ kind }) => kind === 'source')
  expect(Object.keys(sources)).toEqual(expect.arrayContaining(registered.map(({ name }) => name)))
})

for (const [name, underTest] of Object.entries(sources)) {
  describe(`the ${name} source`, () => {
    for (const sourceCase of sourceCases) {
      test(sourceCase.promise, async ({ skip }) => {
        const under = underTest()
        const reason = whySourceSkipped(sourceCase, under)
        if (reason !== undefined) {
          skips.add(`the ${name} source`, sourceCase.promise, reason)
          skip(reason)
        }
        await sourceCase.run(under)
      })
    }
  })
}
