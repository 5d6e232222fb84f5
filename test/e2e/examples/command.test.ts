import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

// S0-30
test('the command example does what its README says', { timeout: 60_000 }, async () => {
  const readme = textOf('examples/command/README.md')
  const [order, refused] = [...readme.matchAll(/-d '(\{"source.*\})'/g)].map((match): unknown => JSON.parse(match[1]!))
  const example = await runExample('command')
  await example.prints(
    /"id":"1-[^\n]*"reading":1,"at":"1"[^\n]*\n[^\n]*\n[^\n]*\n[^\n]*"id":"1-[^\n]*"reading":4,"at":"4"/,
  )

  await example.publish(order)
  const orders = join(example.folder, 'orders.txt')
  await vi.waitFor(() => expect(readFileSync(orders, 'utf8')).toBe('order 1 of order-7: attempt 1\n'), patient)
  expect(readme).toContain('order 1 of order-7: attempt 1\n')

  await example.publish(refused)
  await vi.waitFor(async () => {
    const answer = await fetch(`${example.url}/v1/subscriptions/handle/dead`)
    expect(await answer.text()).toMatch(/exit code 65/)
  }, patient)
  const { dead } = (await (await fetch(`${example.url}/v1/subscriptions/handle/dead`)).json()) as {
    dead: { sequence: number }[]
  }
  const deliveries = await (await fetch(`${example.url}/v1/events/${dead[0]!.sequence}/deliveries`)).text()
  expect(deliveries).toContain('"stderr":"order 2 has no total\\n"')

  const archive = join(example.folder, 'readings.ndjson.gz')
  await vi.waitFor(() => {
    expect(existsSync(archive)).toBe(true)
    // Several runs of gzip, one after the other, are one file.
    const lines = gunzipSync(readFileSync(archive)).toString().trim().split('\n')
    const readings = lines.map((line) => (JSON.parse(line) as { data: { reading: number } }).data.reading)
    expect(readings.slice(0, 4)).toEqual([1, 2, 3, 4])
  }, patient)
  expect(await example.stop()).toBe(0)
})
