import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { runExample } from './run-example.ts'

test('the claim-check example does what its README says', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/claim-check/README.md')
  const writer = await runExample('claim-check')
  const reader = await runExample('claim-check', {}, 'reader.yaml', writer.folder)
  await writer.publish({ source: 'shop', id: '1', type: 'text.sent', data: { name: 'a.txt', text: 'x'.repeat(5000) } })
  const [line] = /#1 text\.sent .*$/m.exec(readme)!
  await reader.prints(/#1 text\.sent/)
  expect(reader.text()).toContain(line)
  const small = readFileSync(join(writer.folder, '.millrace/small.ndjson'), 'utf8')
  expect(small).toContain(/^"dataref".*$/m.exec(readme)![0])
  expect(small.length).toBeLessThan(500)
  expect(await reader.stop()).toBe(0)
  expect(await writer.stop()).toBe(0)
})
