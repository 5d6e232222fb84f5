import { expect, test } from 'vitest'
import { runExample } from './run-example.ts'

test('the cron example does what its README says', { timeout: 60_000 }, async () => {
  const example = await runExample('cron')
  await example.prints(/#2 heart\.beat/)
  const moments = [
    ...example.text().matchAll(/#\d heart\.beat \(heartbeat\/heartbeat@(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z)\)$/gm),
  ].map((match) => Date.parse(match[1]!))
  expect(moments.length).toBeGreaterThanOrEqual(2)
  expect(moments[1]! - moments[0]!).toBe(2000)
  expect(moments[0]! % 2000).toBe(0)
  expect(await example.stop()).toBe(0)
})
