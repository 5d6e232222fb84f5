import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { root, textOf } from '../../repo/files.ts'
import { snippetsIn } from '../../repo/snippets.ts'

const readme = 'examples/accounts/README.md'

// S3-14
test('the example accounts prints what its README says, the second time too', async () => {
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const folder = mkdtempSync(join(root, '.millrace', 'example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const file of ['account.ts', 'bank.ts']) cpSync(join(root, 'examples/accounts', file), join(folder, file))
  const expected = snippetsIn(readme, textOf(readme)).find(({ language }) => language === 'text')
  for (let time = 1; time <= 2; time++) {
    const run = promisify(execFile)(process.execPath, ['--conditions=millrace-source', 'bank.ts'], { cwd: folder })
    const { stdout, stderr } = await run
    expect([stdout, stderr]).toEqual([expected!.text, ''])
  }
})
