import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { root, textOf } from '../../repo/files.ts'
import { snippetsIn } from '../../repo/snippets.ts'

const readme = 'examples/customer-webhooks/README.md'

test('the example customer-webhooks prints what its README says, twice on one store', async () => {
  mkdirSync(join(root, '.millrace'), { recursive: true })
  const folder = mkdtempSync(join(root, '.millrace', 'example-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'examples/customer-webhooks/product.ts'), join(folder, 'product.ts'))
  const expected = snippetsIn(readme, textOf(readme)).find(({ language }) => language === 'text')
  const run = () =>
    promisify(execFile)(process.execPath, ['--conditions=millrace-source', 'product.ts'], { cwd: folder })
  const { stdout, stderr } = await run()
  expect([stdout, stderr]).toEqual([expected!.text, ''])
  // The ids are stored already: only the tests go out.
  const again = await run()
  expect(again.stdout).toContain('left: acme; 3 requests')
  expect(readdirSync(join(folder, '.millrace'))).toEqual(expect.arrayContaining(['events.db', 'secret-key']))
})
