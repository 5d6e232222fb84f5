import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { patient, runExample } from './run-example.ts'

// S2-03 S2-04 S2-06 S2-16
test('the best-effort example drops and counts what its README says, and holds up nobody', {
  timeout: 60_000,
}, async () => {
  const readme = textOf('examples/best-effort/README.md')
  const example = await runExample('best-effort')
  const events = Array.from({ length: 20 }, (_, n) => ({ source: 'shop', id: String(n + 1), type: 'page.viewed' }))
  expect((await example.publish(events)).status).toBe(200)
  const linesOf = (name: string) => readFileSync(join(example.folder, name), 'utf8').trim().split('\n')
  await vi.waitFor(() => expect(linesOf('events.ndjson')).toHaveLength(20), patient)
  const mirror = async () => (await fetch(`${example.url}/v1/subscriptions/mirror`)).text()
  const expected = /^"tap":.*$/m.exec(readme)![0]
  await vi.waitFor(async () => expect(await mirror()).toContain(expected), patient)
  writeFileSync(join(example.folder, 'open'), '')
  const mirrored = [...readme.matchAll(/^event \d+$/gm)].map(([line]) => line)
  await vi.waitFor(() => expect(linesOf('mirrored.txt')).toEqual(mirrored), patient)
  await vi.waitFor(async () => expect(await mirror()).toMatch(/"delivered":6,.*"buffered":0/), patient)
  expect(await example.stop()).toBe(0)
})
