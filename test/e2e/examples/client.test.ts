import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root, textOf } from '../../repo/files.ts'
import { snippetsIn } from '../../repo/snippets.ts'
import { freePort, runExample } from './run-example.ts'

const run = promisify(execFile)

// S3-23
test('the client example does what its README says', { timeout: 60_000 }, async () => {
  const page = 'examples/client/README.md'
  const [away, back] = snippetsIn(page, textOf(page))
    .filter(({ language }) => language === 'text')
    .map(({ text }) => text)
  const example = await runExample('client')
  const shop = async (port: string): Promise<string> => {
    const env = { ...process.env, PORT: port, BUFFER: join(example.folder, 'shop.buffer') }
    const { stdout } = await run(
      process.execPath,
      ['--conditions=millrace-source', join(root, 'examples/client/shop.ts')],
      { env },
    )
    return stdout
  }
  expect(await shop(String(await freePort()))).toBe(away)
  const { port } = new URL(example.url)
  const second = await shop(port)
  for (const line of back!.trim().split('\n')) expect(second).toContain(line)
  expect(second).toMatch(/order-1 \(duplicate\), order-2 \(duplicate\), order-1-reminder \(conflict\)/)
  await example.prints(/order\.placed[\s\S]*order\.placed/)
  expect(example.text()).not.toContain('order.reminded')
  expect(await shop(port)).toContain('order-1 is duplicate')
  expect(await example.stop()).toBe(0)
})
