import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createMemoryIo } from '../io.ts'
import { main } from '../main.ts'

test('admin-log shows what was done to a store, over restarts', async () => {
  // SEC-56
  const cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  const text =
    'store: { type: sqlite, path: ./events.db }\nserver: { port: 1 }\nsubscriptions: { crm: { sink: { type: pull } } }\n'
  writeFileSync(join(cwd, 'millrace.yaml'), text, { mode: 0o600 })
  const millrace = async (...argv: readonly string[]) => {
    const io = createMemoryIo({ cwd, env: {} })
    await main(argv, io)
    return { code: io.exitCode, out: io.stdout, err: io.stderr }
  }
  await millrace('pause', 'crm')
  await millrace('resume', 'crm')
  const shown = await millrace('admin-log')
  expect([shown.code, shown.err]).toEqual([0, ''])
  expect(shown.out).toMatch(
    /2 {2}\S+ \S+ {2}cli +subscription.resumed +crm +state paused → running.*\n.* 1 .*paused by hand/,
  )
  const { entries } = JSON.parse((await millrace('admin-log', '--limit', '1', '--after', '2', '--json')).out)
  expect(entries).toMatchObject([
    { number: 1, actor: 'cli', action: 'subscription.paused', after: { state: 'paused' } },
  ])
})
