import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryIo, type MemoryIo } from '../io.ts'
import { main } from '../main.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A folder with a configuration, a store of twelve events, and commands that run there. */
async function place() {
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  const port = await freePort()
  const config = `store: { type: sqlite, path: ./.millrace/events.db }
server: { port: ${port} }
sources: { api: { type: http } }
subscriptions: { out: { match: [order.*], sink: { type: file, path: ./out.ndjson }, start: beginning } }
`
  writeFileSync(join(cwd, 'millrace.yaml'), config, { mode: 0o600 })
  const millrace = async (argv: readonly string[], errIsTty = false): Promise<MemoryIo> => {
    const io = createMemoryIo({ cwd, env: {}, errIsTty })
    await main(argv, io)
    return io
  }
  const running = createMemoryIo({ cwd, env: {} })
  const start = async (): Promise<void> => {
    const ended = main(['run'], running)
    onTestFinished(async () => {
      running.abort()
      await ended
      rmSync(cwd, { recursive: true })
    })
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      )
    while (!(await answers())) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const lines = Array.from({ length: 12 }, (_, i) =>
    JSON.stringify({ source: 'shop', id: `e${i}`, type: i % 3 === 0 ? 'user.made' : 'order.placed', data: { i } }),
  )
  writeFileSync(join(cwd, 'events.ndjson'), lines.join('\n'))
  await millrace(['publish', 'events.ndjson'])
  const sent = () =>
    readFileSync(join(cwd, 'out.ndjson'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; replayid?: string })
  return { millrace, start, sent }
}

test('a dry run counts, a run shows its progress and delivers exactly that, and replays shows it', async () => {
  const { millrace, start, sent } = await place()
  await start()
  while (((await millrace(['stats', '--json'])).stdout.match(/"delivered":8/) ?? null) === null);
  const dry = await millrace(['replay', 'out', '--from', '1', '--to', '6', '--dry-run'])
  expect(dry.stdout).toContain('A replay of events 1 to 6 makes 4 deliveries to out.')
  expect(dry.stdout).toMatch(/order\.placed.+e1\n/)
  expect(JSON.parse((await millrace(['replay', 'out', '--from', '1h', '--dry-run', '--json'])).stdout)).toMatchObject({
    count: 8,
  })
  const run = await millrace(['replay', 'out', '--from', '1', '--to', '6', '--rate', '5/s'], true)
  expect(run.exitCode).toBe(0)
  expect(run.stdout).toMatch(/^Replay r\w+ of out, events 1 to 6, is done\. 4 delivered\.\n$/)
  expect(run.lines.join('\n')).toMatch(/█+─* \d+% {2}\d delivered/)
  const again = sent().filter(({ replayid }) => replayid !== undefined)
  expect(again.map(({ id }) => id)).toEqual(['e1', 'e2', 'e4', 'e5'])
  const list = await millrace(['replays', 'out'])
  expect(list.stdout).toMatch(new RegExp(`out +${again[0]!.replayid} +done +1-6 +100% +4 +0 +5/s`))
  expect((await millrace(['explain', '2'])).stdout).toContain(`out, replay ${again[0]!.replayid}: delivered`)
})

test('a replay goes on without its command, and is paused, resumed and cancelled by others', async () => {
  const { millrace, start } = await place()
  await start()
  const begun = await millrace(['replay', 'out', '--from', '1', '--rate', '1/h', '--detach', '--json'])
  const { id } = JSON.parse(begun.stdout) as { id: string }
  expect((await millrace(['replays', 'pause', 'out', id])).stdout).toContain('is paused: paused by hand.')
  expect((await millrace(['replays', '--json'])).stdout).toContain(`"state":"paused"`)
  expect((await millrace(['replays', 'resume', 'out', id])).stdout).toContain('is running.')
  expect((await millrace(['replays', 'cancel', 'out', id])).stdout).toContain('is cancelled.')
  expect(await millrace(['replays', 'cancel', 'out', id])).toMatchObject({ exitCode: 1 })
})

test('without a server a replay is stored for the next run, and a dry run reads the store', async () => {
  const { millrace, start, sent } = await place()
  expect((await millrace(['replay', 'out', '--from', '1', '--dry-run'])).stdout).toContain('makes 8 deliveries')
  const stored = await millrace(['replay', 'out', '--from', '1', '--to', '3', '--rate', '1000/s'])
  expect(stored.stderr).toContain('it begins when the pipeline does')
  expect((await millrace(['replays'])).stdout).toMatch(/out +r\w+ +running +1-3 +0%/)
  await start()
  while (!(await millrace(['replays'])).stdout.includes('done'));
  expect(sent().filter(({ replayid }) => replayid !== undefined)).toHaveLength(2)
})

test('wrong use is explained', async () => {
  const { millrace } = await place()
  const cases: readonly (readonly [argv: readonly string[], text: string, code: number])[] = [
    [['out'], 'say from where with --from', 2],
    [['out', '--from', 'whenever'], '--from "whenever" is no time', 2],
    [['out', '--from', '1', '--rate', 'fast'], 'rate', 1],
    [['nobody', '--from', '1'], 'there is no subscription nobody', 1],
  ]
  for (const [argv, text, code] of cases) {
    const io = await millrace(['replay', ...argv])
    expect(io.stderr).toContain(text)
    expect(io.exitCode).toBe(code)
  }
})
