import { expect, test } from 'vitest'
import { textOf } from '../../repo/files.ts'
import { freePort, runExample } from './run-example.ts'

/** The lines of events, without the time. */
const linesOf = (text: string): string[] => [...text.matchAll(/^[\d:.]+ (#\d+ order\..*)$/gm)].map((match) => match[1]!)

// S0-12, S0-13, S3-21
test('the poll example does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('poll', { API_PORT: String(await freePort()) })
  await example.prints(/order\.paid A-1/)
  const expected = linesOf(textOf('examples/poll/README.md'))
  expect(expected).toHaveLength(5)
  expect(linesOf(example.text())).toEqual(expected)
  expect(example.text()).toMatch(/polling 127\.0\.0\.1:\d+ failed: (status 503|the connection was refused)/)
  expect(await example.stop()).toBe(0)
})
