import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run, temporaryFolder } from './process.ts'

interface Told {
  readonly total: number
  readonly delivered: number
  readonly rss: number
}

test('memory does not grow with the events that go through: a heap of 80 MiB is enough for any number', async () => {
  // G28 S0-82
  const process = run('steady-process.ts', join(temporaryFolder(), 'events.db'))
  // A heap that grew without bound would end the process before it says its second line.
  expect(await process.ended).toEqual({ code: 0, signal: null })
  const [first, second] = process.lines.map((line) => JSON.parse(line.slice('after '.length)) as Told)
  expect([first?.delivered, second?.delivered]).toEqual([60_000, 180_000])
  expect(second!.rss).toBeLessThan(first!.rss * 1.5)
  expect(second!.rss).toBeLessThan(420 * 2 ** 20)
})
