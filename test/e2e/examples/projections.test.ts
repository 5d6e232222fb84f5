import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { root, textOf } from '../../repo/files.ts'
import { snippetsIn } from '../../repo/snippets.ts'

const readme = 'examples/projections/README.md'

// S3-14
test('the example projections prints what its README says, and the second version with the first one’s events', async () => {
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const folder = mkdtempSync(join(root, '.millrace', 'example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const file of ['balances.ts', 'counter.ts']) cpSync(join(root, 'examples/projections', file), join(folder, file))
  const [first, second] = snippetsIn(readme, textOf(readme))
    .filter(({ language }) => language === 'text')
    .map(({ text }) => text)
  for (const [version, expected] of [
    ['1', first],
    ['1', first],
    ['2', second],
  ] as const) {
    const args = ['--conditions=millrace-source', 'counter.ts', version]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: folder })
    expect([stdout, stderr]).toEqual([expected, ''])
  }
})
