import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryIo, type MemoryIo } from '../io.ts'
import { main } from '../main.ts'

/** Commands in a folder whose store has three events of one stream among others. */
async function place() {
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const config = `store: { type: sqlite, path: ./.millrace/events.db }
server: { port: 1 }
streams: [account.*]
subscriptions: {}
`
  writeFileSync(join(cwd, 'millrace.yaml'), config, { mode: 0o600 })
  const millrace = async (...argv: readonly string[]): Promise<MemoryIo> => {
    const io = createMemoryIo({ cwd, env: {} })
    await main(argv, io)
    return io
  }
  const subjects = ['a/1', 'a/2', 'a/1', 'a/1']
  const lines = subjects.map((subject, i) =>
    JSON.stringify({ source: 'bank', id: `e${i}`, type: 'account.credited', subject, data: { i } }),
  )
  writeFileSync(join(cwd, 'events.ndjson'), lines.join('\n'))
  await millrace('publish', 'events.ndjson')
  return millrace
}

// S3-14
test('events --stream shows the events of one stream with their versions', async () => {
  const millrace = await place()
  const all = await millrace('events', '--stream', 'a/1')
  expect(
    all.stdout.split('\n').map((line) => line.split(/\s+/).filter((word) => /^(version|\d|e\d)$/.test(word))),
  ).toEqual([['version'], ['1', '1', 'e0'], ['2', '3', 'e2'], ['3', '4', 'e3'], []])
  const some = await millrace('events', '--stream', 'a/1', '--after', '1', '--limit', '1', '--json')
  expect(JSON.parse(some.stdout)).toMatchObject({ version: 2, event: { id: 'e2', sequence: '3', data: { i: 2 } } })
  const past = await millrace('events', '--stream', 'a/1', '--until', '1h', '--json')
  expect(past.stdout).toBe('')
})

test('events --stream says when there is nothing, and refuses filters that mean nothing there', async () => {
  const millrace = await place()
  expect((await millrace('events', '--stream', 'b')).stderr).toMatch(/has no stream of that name/)
  expect((await millrace('events', '--stream', 'a/2', '--after', '1')).stderr).toMatch(/the stream ends at version 1/)
  const wrong = await millrace('events', '--stream', 'a/1', '--type', 'x')
  expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringMatching(/--type does not go with --stream/)])
})
