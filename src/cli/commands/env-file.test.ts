import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createMemoryIo } from '../io.ts'
import { main } from '../main.ts'

let cwd: string
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-env-'))
  const config = `store: { type: sqlite, path: "\${STORE}" }\nserver: { port: 1 }\n`
  writeFileSync(join(cwd, 'millrace.yaml'), config, { mode: 0o600 })
  writeFileSync(join(cwd, '.env'), 'STORE=nowhere/events.db\n', { mode: 0o600 })
})
afterAll(() => rmSync(cwd, { recursive: true }))

async function run(argv: readonly string[]): Promise<string> {
  const io = createMemoryIo({ cwd, env: {} })
  await main(argv, io)
  return io.stdout + io.stderr
}

// S0-51
test.each([
  ['run'],
  ['check'],
  ['publish', '--type', 'a.b', '--source', 's', '--id', '1'],
  ['events'],
  ['tail'],
  ['subscriptions'],
  ['subscriptions', 'drop', 'crm'],
  ['stats'],
  ['dead', 'list', 'crm'],
  ['dead', 'redrive', 'crm', '--all'],
  ['explain', '1'],
  ['audit'],
  ['pause', 'crm'],
  ['resume', 'crm'],
  ['backup', 'copy.db'],
  ['verify'],
])('with --no-env-file %s does not read the .env beside the configuration', async (...argv) => {
  expect(await run([...argv, '--no-env-file'])).toContain('the environment variable STORE is not set')
})

test('without it, the .env is read', async () => {
  expect(await run(['events'])).toContain('nowhere/events.db')
})
