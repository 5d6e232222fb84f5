import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

// S0-35 S0-36
test('ten updates of one file are one delivery with the last state, and ten to who does not coalesce', {
  timeout: 60_000,
}, async () => {
  const example = await runExample('coalesce')
  for (let n = 1; n <= 10; n++) {
    const event = { source: 'disk', id: String(n), type: 'file.changed', subject: 'report.txt', data: { version: n } }
    expect((await example.publish(event)).status).toBe(201)
  }
  const expected = /^#10 .*$/m.exec(textOf('examples/coalesce/README.md'))![0]
  await vi.waitFor(() => expect(example.text()).toContain(expected), patient)
  await vi.waitFor(async () => {
    const answer = await (await fetch(`${example.url}/v1/subscriptions/latest`)).json()
    expect(answer).toMatchObject({ open: 0, counters: { delivered: 1, superseded: 9 } })
  }, patient)
  const { deliveries } = (await (await fetch(`${example.url}/v1/events/3/deliveries`)).json()) as {
    deliveries: unknown[]
  }
  expect(JSON.stringify(deliveries)).toContain('superseded')
  expect(await example.stop()).toBe(0)
  expect(example.text().match(/file\.changed report\.txt/g)).toHaveLength(1)
  const every = readFileSync(join(example.folder, 'every.ndjson'), 'utf8').trim().split('\n')
  expect(every.map((line) => (JSON.parse(line) as { data: unknown }).data)).toEqual(
    Array.from({ length: 10 }, (_, n) => ({ version: n + 1 })),
  )
})
