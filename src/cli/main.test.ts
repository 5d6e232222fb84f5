import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandTable } from './command-table.ts'
import { createMemoryIo, type MemoryIo } from './io.ts'
import { main } from './main.ts'

let cwd = ''
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  // A port on which nothing answers, and a store that is not there.
  const config = 'store: { type: sqlite, path: events.db }\nserver: { port: 1 }\nsubscriptions: {}\n'
  writeFileSync(join(cwd, 'millrace.yaml'), config)
  writeFileSync(join(cwd, 'memory.yaml'), 'store: { type: memory }\nserver: { port: 1 }\n')
  writeFileSync(join(cwd, 'broken.yaml'), 'stor: {}\nsubscriptions: 7\n')
})
afterAll(() => rmSync(cwd, { recursive: true, force: true }))

async function run(...argv: string[]): Promise<MemoryIo> {
  const io = createMemoryIo({ cwd })
  await main(argv, io)
  return io
}

test.each(Object.keys(commandTable))('%s has help of its own, and reading it is success', async (name) => {
  const { stdout, stderr, exitCode } = await run(name, '--help')
  expect(stdout).toContain(`Usage: millrace ${name}`)
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
})

test('the help lists every command with one line each', async () => {
  const { stdout } = await run('--help')
  for (const [name, { summary }] of Object.entries(commandTable))
    expect(stdout).toContain(`${name.padEnd(20)} ${summary}`)
})

test.each([
  [['evnts'], "unknown command 'evnts' (Did you mean events?)"],
  [['events', '--bogus'], "unknown option '--bogus'"],
  [['explain'], "missing required argument 'sequence'"],
  [['explain', 'x'], 'the sequence "x" is not a whole number of at least 1'],
  [['events', '--since', 'yesterday'], '--since "yesterday" is no time'],
  [['events', '--type', 'a.b,order*'], '--type "order*" is no pattern: a star may stand alone (*)'],
  [['tail', '--type', '*.placed'], '--type "*.placed" is no pattern'],
  [['dead', 'list', 'crm', '--type', 'order*'], '--type "order*" is no pattern'],
  [['publish'], 'there is nothing to publish'],
  [['publish', '--type', 'a'], '--source is missing'],
  [['publish', '--type', 'a', '--source', 's', '--data', '{'], '--data is not valid JSON'],
  [['publish', 'nowhere.json'], 'nowhere.json was not published: there is no such file'],
  [['dead', 'redrive', 'crm'], 'say which to redrive: sequences, --type PATTERN, or --all'],
  [['backup', 'millrace.yaml'], 'millrace.yaml exists already. Choose a new name.'],
  [['run', '--log', 'loud'], '--log loud is not known: use one of debug'],
  [['run', 'nowhere.yaml'], 'nowhere.yaml. Check the path'],
])('wrong use is explained and exits 2: %j', async (argv, message) => {
  const { stdout, stderr, exitCode } = await run(...argv)
  expect(stderr).toContain(message)
  expect(stderr).toMatch(/^error usage: /)
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 2 })
})

test('with --json an error is one line of JSON on stderr', async () => {
  for (const argv of [
    ['evnts', '--json'],
    ['explain', 'x', '--json'],
  ]) {
    const { stdout, stderr } = await run(...argv)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'usage' } })
    expect(stdout).toBe('')
  }
})

test('every problem of a configuration is printed with its place, and the exit code is 1', async () => {
  const { stderr, exitCode } = await run('run', 'broken.yaml')
  const lines = stderr.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^error config-invalid: .*broken\.yaml has problems$/)
  expect(lines.slice(1).join('\n')).toMatch(/broken\.yaml:1:1: .*did you mean store\?/)
  expect(lines.slice(1).join('\n')).toMatch(/broken\.yaml:2:\d+: subscriptions/)
  expect(exitCode).toBe(1)
})

test('reading a store that is not there makes none, and says how to begin', async () => {
  for (const command of ['events', 'subscriptions', 'audit', 'verify']) {
    const { stderr, exitCode } = await run(command)
    expect(stderr).toMatch(
      /there is no store yet: .*events\.db does not exist\. Start the pipeline with "millrace run"/,
    )
    expect(exitCode).toBe(1)
  }
})

test('a memory store without its server cannot be asked, and the error says so', async () => {
  for (const argv of [['events'], ['publish', '--type', 'a', '--source', 's']]) {
    const { stderr, exitCode } = await run(...argv, '--config', 'memory.yaml')
    expect(stderr).toMatch(
      /no server answers at http:\/\/127\.0\.0\.1:1, and the store of .*memory\.yaml \(memory\) lives only inside/,
    )
    expect(exitCode).toBe(1)
  }
})
