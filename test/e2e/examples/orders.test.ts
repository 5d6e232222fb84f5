import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { root, textOf } from '../../repo/files.ts'
import { snippetsIn } from '../../repo/snippets.ts'

const readme = 'examples/orders/README.md'
const run = promisify(execFile)
const flags = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

/** A copy of the example, inside the repository, so that packages are found by name. */
function copied(): string {
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const folder = mkdtempSync(join(root, '.millrace', 'example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'examples/orders'), folder, { recursive: true, filter: (path) => !path.endsWith('.millrace') })
  return folder
}

// S3-13 S0-35
test('the example orders prints what its README says: what was done is taken back in reverse', async () => {
  const expected = snippetsIn(readme, textOf(readme)).find(({ language }) => language === 'text')
  const { stdout, stderr } = await run(process.execPath, [...flags, 'shop.ts'], { cwd: copied() })
  expect([stdout, stderr]).toEqual([expected!.text, ''])
})

test("the example's own tests pass", async () => {
  const { NODE_OPTIONS: _, ...env } = process.env
  const { stdout } = await run(process.execPath, [...flags, '--test'], { cwd: copied(), env })
  expect(stdout).toMatch(/pass 2\b/)
  expect(stdout).toMatch(/fail 0\b/)
})
