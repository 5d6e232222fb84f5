import { expect, test, vi } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { freePort, patient, runExample } from './run-example.ts'

// S1-07
test('the example of a stream of another server does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('sse-in', { UPSTREAM_PORT: String(await freePort()) })
  const expected = /^```text\n([\s\S]*?)^```$/m.exec(textOf('examples/sse-in/README.md'))![1]!
  const lines = expected.trim().split('\n')
  const shown = lines.map((line) => line.replace('… ', ''))
  await vi.waitFor(() => expect(example.text()).toContain(shown.at(-1)), patient)
  for (const line of shown) expect(example.text().split(line), line).toHaveLength(2)
  expect(await example.stop()).toBe(0)
})
