import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { root, textOf } from '../../repo/files.ts'
import { snippetsIn } from '../../repo/snippets.ts'

const readme = 'examples/testing/README.md'
const run = promisify(execFile)
const flags = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

test('the tests of the example pass under node:test, and end', { timeout: 60_000 }, async () => {
  // Inside the repository, so that packages are found by name.
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const folder = mkdtempSync(join(root, '.millrace', 'example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'examples/testing'), folder, { recursive: true })
  const { NODE_OPTIONS: _, ...env } = process.env
  const { stdout } = await run(process.execPath, [...flags, '--test', '--test-reporter=spec'], { cwd: folder, env })
  const expected = snippetsIn(readme, textOf(readme)).find(({ language }) => language === 'text')!.text
  const passed = stdout.split('\n').filter((line) => line.startsWith('✔'))
  expect(passed.map((line) => line.replace(/ \(.*ms\)$/, ''))).toEqual(expected.trim().split('\n'))
  expect(stdout).toMatch(/fail 0\b/)
})
