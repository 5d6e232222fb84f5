import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { patient, runExample } from './run-example.ts'

// S0-105 S0-106 S0-108
test('the watch example does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('watch')
  const file = (name: string) => join(example.folder, 'docs', name)
  // What is there at the first look is not told: from the first probe that is told on, everything is.
  await vi.waitFor(() => {
    writeFileSync(file(`probe-${Date.now()}.txt`), '')
    expect(example.text()).toContain('"subject":"probe-')
  }, patient)
  for (let n = 1; n <= 10; n++) {
    appendFileSync(file('hello.md'), `line ${n}\n`)
    await pause(100)
  }
  writeFileSync(file('notes.txt'), 'new\n')
  await example.prints(/"type":"file.created","subject":"notes.txt"/)
  await example.prints(/"type":"file.changed","subject":"hello.md".*coalesced_count/)
  rmSync(file('notes.txt'))
  await example.prints(/"type":"file.removed","subject":"notes.txt"/)
  expect(example.text().match(/"subject":"hello\.md"/g)).toHaveLength(1)
  expect(await example.stop()).toBe(0)
})
