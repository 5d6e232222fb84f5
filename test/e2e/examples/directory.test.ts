import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { patient, runExample } from './run-example.ts'

test('the directory example does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('directory')
  const inbox = (name: string) => join(example.folder, 'inbox', name)
  const orders = join(example.folder, 'orders.ndjson')
  const lines = (): string[] => readFileSync(orders, 'utf8').trim().split('\n')
  await vi.waitFor(() => expect(existsSync(inbox('.'))).toBe(true), patient)
  writeFileSync(inbox('orders.ndjson'), '{"order":1}\n{"order":2}\n')
  await vi.waitFor(() => expect(lines()).toHaveLength(2), patient)
  lines().forEach((line, index) => {
    expect(JSON.parse(line)).toMatchObject({
      source: 'inbox',
      type: 'order.received',
      subject: 'orders.ndjson',
      data: { order: index + 1 },
    })
  })
  await vi.waitFor(() => expect(existsSync(inbox('orders.ndjson'))).toBe(false), patient)
  const [done] = readdirSync(inbox('.done'))
  copyFileSync(inbox(`.done/${done}`), inbox('orders.ndjson'))
  writeFileSync(inbox('broken.json'), '{"order":')
  await vi.waitFor(() => {
    expect(readdirSync(inbox('.failed')).length).toBeGreaterThanOrEqual(2)
    expect(existsSync(inbox('orders.ndjson'))).toBe(false)
  }, patient)
  expect(await example.stop()).toBe(0)
  expect(lines()).toHaveLength(2)
})
