import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Sink, SinkDeclaration } from '../../src/plugin/index.ts'
import { nodePlatform } from '../../src/plugin/platform.ts'
import { builtIn } from '../../src/registry.ts'
import { command } from '../../src/sinks/command.ts'
import { consoleTo } from '../../src/sinks/console.ts'
import { desktopOn } from '../../src/sinks/desktop.ts'
import { file } from '../../src/sinks/file.ts'
import { webhook } from '../../src/sinks/webhook.ts'
import {
  createPluginContext,
  deliveryOf,
  loopbackEgress,
  recordingSink,
  type SinkUnderTest,
  sinkCases,
  whySinkSkipped,
} from '../../src/testing/index.ts'
import { createSkips } from './skips.ts'

const sinkOf = (declaration: SinkDeclaration, options: unknown): Sink =>
  declaration.create(declaration.options.parse(options), {
    directory: '.',
    platform: nodePlatform,
    egress: loopbackEgress,
  })

const idsOf = (lines: string): string[] =>
  lines
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id)

function consoleUnderTest(): SinkUnderTest {
  let text = ''
  const collecting = () =>
    new Writable({
      write: (chunk, _, done) => {
        text += String(chunk)
        done()
      },
    })
  return {
    create: () => sinkOf(consoleTo(collecting).declaration, { format: 'json' }),
    outlastsAbort: 'what the stream holds cannot be taken back, so a second attempt would only pile up lines',
    arrived: () => idsOf(text),
  }
}

function fileUnderTest(): SinkUnderTest {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sink-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'events.ndjson')
  return {
    create: () => sinkOf(file.declaration, { path }),
    arrived: () => idsOf(readFileSync(path, 'utf8')),
  }
}

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
}

function webhookUnderTest(): SinkUnderTest {
  const ids: string[] = []
  const take = async (request: IncomingMessage): Promise<void> => {
    ids.push((JSON.parse(String(await buffer(request))) as { id: string }).id)
  }
  return {
    create: async () => {
      const url = await listen((request, response) => void take(request).then(() => response.writeHead(204).end()))
      return sinkOf(webhook.declaration, { url })
    },
    createSilent: async () => sinkOf(webhook.declaration, { url: await listen(() => undefined) }),
    arrived: () => ids,
  }
}

function recordingUnderTest(): SinkUnderTest {
  const use = recordingSink()
  return {
    create: () => sinkOf(use.declaration, {}),
    createSilent: () => sinkOf(recordingSink({ outcomes: (_, { signal }) => untilAborted(signal) }).declaration, {}),
    arrived: () => use.received.map(({ event }) => event.id),
  }
}

function commandUnderTest(): SinkUnderTest {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sink-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'events.ndjson')
  return {
    create: () => sinkOf(command.declaration, { command: ['tee', '-a', path] }),
    createSilent: () => sinkOf(command.declaration, { command: ['sleep', '1000'], grace: '100ms' }),
    arrived: () => idsOf(readFileSync(path, 'utf8')),
  }
}

/** The sink with a program in the place of `notify-send`; the real one is tried in the sink's own tests. */
function desktopUnderTest(): SinkUnderTest {
  const withProgram = (script: string): Sink => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-sink-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'notify-send'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const machine = {
      platform: 'linux',
      env: { PATH: folder, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere' },
    } as const
    return sinkOf(desktopOn(() => machine).declaration, {})
  }
  return { create: () => withProgram('exit 0'), createSilent: () => withProgram('sleep 1000') }
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))

const sinks: Readonly<Record<string, () => SinkUnderTest>> = {
  command: commandUnderTest,
  console: consoleUnderTest,
  desktop: desktopUnderTest,
  file: fileUnderTest,
  webhook: webhookUnderTest,
  // The fake of the testing kit keeps the same promises.
  recording: recordingUnderTest,
}

const skips = createSkips()

const registered = builtIn.map(({ declaration }) => declaration).filter((declaration) => declaration.kind === 'sink')

test('every registered sink that delivers is run through the suite', () => {
  const delivering = registered.filter(({ served }) => served === undefined)
  expect(Object.keys(sinks)).toEqual(expect.arrayContaining(delivering.map(({ name }) => name)))
})

describe.each(registered.filter(({ served }) => served !== undefined))(
  'the $name sink',
  ({ name, example, ...declaration }) => {
    test('keeps the promises of a sink that delivers', ({ skip }) => {
      const reason = 'clients fetch from it over HTTP: it is never called to deliver'
      skips.add(`the ${name} sink`, 'all promises of a sink that delivers', reason)
      skip(reason)
    })

    test('a call to deliver is refused, in words that say who fetches', async () => {
      const sink = sinkOf({ name, example, ...declaration }, example)
      const delivering = (async () => sink.deliver([deliveryOf(1)], { ...createPluginContext() }))()
      await expect(delivering).rejects.toThrow(/clients/)
      await sink.close?.()
    })
  },
)

const batchOf = (name: string): number | undefined => registered.find((declaration) => declaration.name === name)?.batch

// The case that shows what the console sink does where the suite is skipped.
test('an attempt of the console sink goes on after its abort, until the stream takes the line', async () => {
  let take: () => void = () => undefined
  const slow = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      take = done
    },
  })
  const sink = sinkOf(consoleTo(() => slow).declaration, { format: 'json' })
  await sink.open?.(createPluginContext())
  const abort = new AbortController()
  let isDone = false
  const answering = Promise.resolve(
    sink.deliver([deliveryOf(1)], { ...createPluginContext(), signal: abort.signal }),
  ).finally(() => {
    isDone = true
  })
  abort.abort()
  await new Promise((resolve) => setImmediate(resolve))
  expect(isDone).toBe(false)
  take()
  expect(await answering).toBeUndefined()
  await sink.close?.()
})

for (const [name, underTest] of Object.entries(sinks)) {
  describe(`the ${name} sink`, () => {
    for (const sinkCase of sinkCases) {
      test(sinkCase.promise, async ({ skip }) => {
        const under = { ...underTest(), batch: batchOf(name) }
        const reason = whySinkSkipped(sinkCase, under)
        if (reason !== undefined) {
          skips.add(`the ${name} sink`, sinkCase.promise, reason)
          skip(reason)
        }
        await sinkCase.run(under)
      })
    }
  })
}
